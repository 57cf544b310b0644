// The one place that turns a fault into a reply.

import { Headers } from '@weft/lib/header';
import type { Fault } from '../fault/fault.ts';
import type { Exchange } from './exchange.ts';

/** The header with which a client can ask `weft explain` why. */
export const decisionHeader = 'x-weft-decision';

/** Headers of the reply: gRPC callers get a trailers-only response (gRPC over HTTP/2, "Responses"), others plain text. */
export function localReplyHead(exchange: Exchange, reason: Fault, body: string): Headers {
  const headers = wantsGrpc(exchange, reason)
    ? Headers.of(
        'content-type',
        'application/grpc',
        'grpc-status',
        String(reason.grpcStatus),
        'grpc-message',
        encodeGrpcMessage(body),
      )
    : Headers.of('content-type', 'text/plain', 'content-length', String(Buffer.byteLength(body)));
  showDecision(exchange, headers);
  if (reason.status === 407) headers.add('proxy-authenticate', 'Basic realm="weft"');
  if (reason.flag === 'UO') headers.add('x-envoy-overloaded', 'true');
  return headers;
}

/** Lets those who may ask know by which id. */
export function showDecision(exchange: Exchange, headers: Headers): void {
  if (exchange.config.showsDecision(exchange)) headers.add(decisionHeader, exchange.decisionId);
}

// A forward proxy speaks to the HTTP client below the gRPC one: to it a refusal is 407, and a CONNECT is no call.
function wantsGrpc(exchange: Exchange, reason: Fault): boolean {
  return reason.status !== 407 && exchange.method !== 'CONNECT' && isGrpc(exchange);
}

function isGrpc(exchange: Exchange): boolean {
  const type = exchange.requestHeaders.get('content-type');
  if (type === undefined || !type.startsWith('application/grpc')) return false;
  return type.length === 16 || type[16] === '+' || type[16] === ';';
}

// gRPC over HTTP/2: Percent-Byte-Encoded, space to tilde except percent stay.
function encodeGrpcMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
