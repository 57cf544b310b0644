// The one place that turns a fault into a reply, and a reply into one that gRPC callers understand.

import { encodeGrpcMessage, grpcStatusFromHttp, isGrpcType } from '@weft/lib/grpc/header';
import { Headers } from '@weft/lib/header';
import type { Fault } from '../fault/fault.ts';
import type { Exchange } from './exchange.ts';

/** The header with which a client can ask `weft explain` why. */
export const decisionHeader = 'x-weft-decision';

/** By the flag of the fault: what tells a caller that there is no more room for it. */
const overloadHeaders: ReadonlyMap<string, string> = new Map([
  ['UO', 'x-envoy-overloaded'],
  ['DO', 'x-envoy-drop-overload'],
  ['UDO', 'x-envoy-unconditional-drop-overload'],
]);

/**
 * Headers of the reply: gRPC callers get a trailers-only response (gRPC over HTTP/2, "Responses"), others plain text. What the route
 * adds comes first, so that it may say another type but not take away what frames or explains the reply.
 */
export function localReplyHead(exchange: Exchange, reason: Fault, body: string): Headers {
  const { route } = exchange;
  const headers = Headers.of();
  if (route !== null) route.mutateLocalReply(headers, exchange);
  if (wantsGrpc(exchange, reason.status)) setGrpcHead(headers, reason.grpcStatus, body);
  else {
    if (exchange.status !== 204 && !headers.has('content-type')) headers.add('content-type', 'text/plain');
    headers.add('content-length', String(Buffer.byteLength(body)));
  }
  if (route?.virtualHost.includesAttemptCountInResponse && exchange.attempts > 0) {
    headers.set('x-envoy-attempt-count', String(exchange.attempts));
  }
  showDecision(exchange, headers);
  if (reason.status === 407) headers.add('proxy-authenticate', 'Basic realm="weft"');
  // RFC 9110 §15.5.22 and §7.8: said for this connection only.
  if (reason.status === 426) {
    headers.set('upgrade', 'HTTP/1.1');
    headers.set('connection', 'upgrade');
  }
  const overload = exchange.config.suppressEnvoyHeaders ? undefined : overloadHeaders.get(reason.flag);
  if (overload !== undefined) headers.set(overload, 'true');
  return headers;
}

/** Lets those who may ask know by which id. */
export function showDecision(exchange: Exchange, headers: Headers): void {
  if (exchange.config.showsDecision(exchange)) headers.set(decisionHeader, exchange.decisionId);
}

function setGrpcHead(headers: Headers, status: number, message: string): void {
  headers.set('content-type', 'application/grpc');
  headers.set('grpc-status', String(status));
  headers.set('grpc-message', encodeGrpcMessage(message));
}

/** An answer of the configuration (redirect, direct response) as a gRPC caller understands it; unchanged for others. */
export function replyHead(exchange: Exchange, status: number, headers: Headers, body: string): Headers {
  if (headers.has('grpc-status') || !wantsGrpc(exchange, status)) return headers;
  const head = Headers.of();
  setGrpcHead(head, grpcStatusFromHttp(status), body);
  for (const [name, value] of headers.entries()) {
    if (name !== 'content-length' && name !== 'content-type') head.add(name, value);
  }
  return head;
}

// A forward proxy speaks to the HTTP client below the gRPC one: to it a refusal is 407, and a CONNECT is no call.
function wantsGrpc(exchange: Exchange, status: number): boolean {
  return status !== 407 && exchange.method !== 'CONNECT' && isGrpcType(exchange.requestHeaders.get('content-type'));
}
