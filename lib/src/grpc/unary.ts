// One gRPC call with one answer, on a connection of its own: HTTP/2 by node:http2, the five bytes of framing by hand.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../clock.ts';
import { messageOf } from '../error.ts';

/** What to call, and how to get there. */
export interface UnaryCall {
  readonly clock: Clock;
  /** Opens the transport; it may still be connecting or shaking hands. Nothing is asked before it is secure. */
  readonly open: () => Duplex;
  /** `:authority`. */
  readonly authority: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** Further request headers, lower-case names. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly request: Uint8Array;
  /** For everything together; then the call fails with DEADLINE_EXCEEDED. */
  readonly timeoutMs: number;
}

/** A call that failed: `code` is the gRPC status, UNAVAILABLE where the server never gave one. */
export class GrpcCallError extends Error {
  override readonly name = 'GrpcCallError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export const grpcStatus = {
  ok: 0,
  unknown: 2,
  deadlineExceeded: 4,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** An answer to a unary call is small; more than this is a mistake or an attack. */
const maxAnswerBytes = 1024 * 1024;
const frameHeadBytes = 5;

/** The bytes of the answer; rejects with `GrpcCallError`. The connection is closed either way. */
export function callUnary(call: UnaryCall): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    new Exchange(call, resolve, reject).start();
  });
}

class Exchange {
  private readonly call: UnaryCall;
  private readonly resolve: (answer: Buffer) => void;
  private readonly reject: (error: GrpcCallError) => void;
  private session: ClientHttp2Session | null = null;
  private timer: Timer | null = null;
  private readonly chunks: Buffer[] = [];
  private size = 0;
  private isOver = false;

  constructor(call: UnaryCall, resolve: (answer: Buffer) => void, reject: (error: GrpcCallError) => void) {
    this.call = call;
    this.resolve = resolve;
    this.reject = reject;
  }

  start(): void {
    this.timer = this.call.clock.start(this.call.timeoutMs, onTimeout, this);
    const socket = this.call.open();
    // Its errors reach the session; one that comes before must not be unheard.
    socket.on('error', (error) => this.fail(grpcStatus.unavailable, messageOf(error)));
    const isTls = 'encrypted' in socket;
    const session = connect(`${isTls ? 'https' : 'http'}://${this.call.authority}`, { createConnection: () => socket });
    this.session = session;
    session.on('error', (error) => this.fail(grpcStatus.unavailable, messageOf(error)));
    session.on('close', () => this.fail(grpcStatus.unavailable, 'the connection was closed'));
    session.on('connect', () => this.ask(session));
  }

  fail(code: number, message: string): void {
    if (this.isOver) return;
    this.end();
    this.reject(new GrpcCallError(code, message));
  }

  private ask(session: ClientHttp2Session): void {
    if (this.isOver || session.destroyed || session.socket.destroyed) return;
    const stream = session.request({
      ...this.call.metadata,
      // As given: from the session's address the default port would be added.
      [constants.HTTP2_HEADER_AUTHORITY]: this.call.authority,
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: this.call.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'weft',
    });
    this.listen(stream);
    const head = Buffer.alloc(frameHeadBytes);
    head.writeUInt32BE(this.call.request.length, 1);
    stream.end(Buffer.concat([head, this.call.request]));
  }

  private listen(stream: ClientHttp2Stream): void {
    stream.on('response', (headers) => this.onResponse(headers));
    stream.on('trailers', (headers) => this.onStatus(headers));
    stream.on('data', (chunk: Buffer) => {
      this.size += chunk.length;
      this.chunks.push(chunk);
      if (this.size > maxAnswerBytes)
        this.fail(grpcStatus.internal, `the answer is larger than ${maxAnswerBytes} bytes`);
    });
    stream.on('error', (error) => this.fail(grpcStatus.unavailable, messageOf(error)));
    stream.on('close', () => this.fail(grpcStatus.unavailable, 'the call ended without a status'));
  }

  private onResponse(headers: IncomingHttpHeaders): void {
    if (headers['grpc-status'] !== undefined) {
      this.onStatus(headers);
      return;
    }
    const status = Number(headers[':status']);
    if (status !== 200) this.fail(grpcStatus.unavailable, `the server answered with HTTP status ${status}`);
  }

  private onStatus(headers: IncomingHttpHeaders): void {
    const code = Number(headers['grpc-status'] ?? grpcStatus.unknown);
    if (code !== grpcStatus.ok) {
      this.fail(code, decodeMessage(String(headers['grpc-message'] ?? `gRPC status ${code}`)));
      return;
    }
    const answer = Buffer.concat(this.chunks);
    if (
      answer.length < frameHeadBytes ||
      answer[0] !== 0 ||
      answer.readUInt32BE(1) !== answer.length - frameHeadBytes
    ) {
      this.fail(grpcStatus.internal, 'the answer is not one whole message');
      return;
    }
    if (this.isOver) return;
    this.end();
    this.resolve(answer.subarray(frameHeadBytes));
  }

  private end(): void {
    this.isOver = true;
    this.timer?.stop();
    this.session?.destroy();
  }
}

function onTimeout(exchange: Exchange): void {
  exchange.fail(grpcStatus.deadlineExceeded, 'no answer in time');
}

/** Percent-encoded UTF-8 (gRPC over HTTP/2, "Responses"); left as it is where it is not. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
