// Operators about an HTTP exchange: its headers, status, flags, sizes and times.

import type { Headers } from '@weft/lib/header';
import { makeRequestId } from '@weft/lib/request-id';
import type { LoggedView } from '../view.ts';
import { grpcStatusName, grpcStatusOf } from './grpc-status.ts';
import {
  type CompileOperator,
  fromPeer,
  type Getter,
  type Operator,
  type OperatorTable,
  plain,
  textOrNull,
} from './operator.ts';
import { flagNamesOf, flagsOf } from './response-flag.ts';
import { compileStartTime } from './start-time.ts';

type HeaderReader = (view: LoggedView, name: string) => string | null;

function readRequestHeader(view: LoggedView, name: string): string | null {
  switch (name) {
    case ':method':
      return textOrNull(view.method);
    case ':path':
      return textOrNull(view.path);
    case ':authority':
    case 'host':
      return textOrNull(view.authority);
    case ':scheme':
      return textOrNull(view.scheme);
    default:
      return readOtherRequestHeader(view, name);
  }
}

function readOtherRequestHeader(view: LoggedView, name: string): string | null {
  const value = view.requestHeaders.get(name);
  if (value !== undefined) return value;
  return name === 'x-envoy-original-path' && view.path !== view.originalPath ? textOrNull(view.originalPath) : null;
}

function readResponseHeader(view: LoggedView, name: string): string | null {
  if (name === ':status') return view.status === 0 ? null : String(view.status);
  return readFrom(view.responseHeaders, name);
}

function readTrailer(view: LoggedView, name: string): string | null {
  return readFrom(view.responseTrailers, name);
}

function readFrom(headers: Headers | null, name: string): string | null {
  return headers?.get(name) ?? null;
}

// `X?Y`: the first header, or where it is absent the second.
function headerOperator(read: HeaderReader): CompileOperator {
  return (argument) => {
    const [first = '', second] = argument.toLowerCase().split('?');
    if (second === undefined) return { get: (view) => read(view, first), isFromPeer: true };
    return { get: (view) => read(view, first) ?? read(view, second), isFromPeer: true };
  };
}

function compileGrpcStatus(argument: string): Operator {
  if (argument === 'NUMBER') return { get: grpcStatusOf, isFromPeer: false };
  const isSnake = argument === 'SNAKE_STRING';
  const get: Getter = (view) => {
    const status = grpcStatusOf(view);
    return status === null ? null : grpcStatusName(status, isSnake);
  };
  return { get, isFromPeer: false };
}

function elapsed(fromMs: number, toMs: number): number | null {
  return fromMs < 0 || toMs < 0 ? null : Math.max(0, Math.trunc(toMs - fromMs));
}

// The last request byte goes out when it has come in, or once the upstream connection stands, whichever is later.
function requestSentMs(view: LoggedView): number {
  if (view.requestEndMs < 0 || view.upstreamStartMs < 0) return -1;
  return Math.max(view.requestEndMs, view.upstreamStartMs);
}

export const httpOperators: OperatorTable = {
  START_TIME: compileStartTime,
  REQ: headerOperator(readRequestHeader),
  RESP: headerOperator(readResponseHeader),
  TRAILER: headerOperator(readTrailer),
  PROTOCOL: plain((view) => textOrNull(view.protocol)),
  // Envoy writes 0, not "-", where there was no response.
  RESPONSE_CODE: plain((view) => view.status),
  RESPONSE_CODE_DETAILS: fromPeer((view) => textOrNull(view.details)),
  CONNECTION_TERMINATION_DETAILS: fromPeer((view) => (view.protocol === '' ? textOrNull(view.details) : null)),
  // A flag that says there is none: Envoy writes it in headers and JSON too, and does not leave it out as empty.
  RESPONSE_FLAGS: plain((view) => flagsOf(view) || '-'),
  RESPONSE_FLAGS_LONG: plain((view) => flagNamesOf(view) || '-'),
  BYTES_RECEIVED: plain((view) => view.bytesReceived),
  BYTES_SENT: plain((view) => view.bytesSent),
  DURATION: plain((view) => elapsed(0, view.endMs)),
  REQUEST_DURATION: plain((view) => elapsed(0, view.requestEndMs)),
  REQUEST_TX_DURATION: plain((view) => elapsed(0, requestSentMs(view))),
  RESPONSE_DURATION: plain((view) => elapsed(0, view.responseStartMs)),
  RESPONSE_TX_DURATION: plain((view) => elapsed(view.responseStartMs, view.endMs)),
  GRPC_STATUS: compileGrpcStatus,
  GRPC_STATUS_NUMBER: plain(grpcStatusOf),
  STREAM_ID: fromPeer((view) => (view.requestId === '' ? String(view.connection.id) : view.requestId)),
  UNIQUE_ID: plain(() => makeRequestId()),
  ACCESS_LOG_TYPE: plain((view) => (view.protocol === '' ? 'TcpConnectionEnd' : 'DownstreamEnd')),
};
