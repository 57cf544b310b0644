// One connection to the admin server: requests one after the other, by the proxy's own codec. `node:http` would do as well, but
// costs every proxy ten megabytes.

import type { Clock, Timer } from '@weft/lib/clock';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import type { Connection, ConnectionOwner } from '../io/connection.ts';
import {
  type Http1Error,
  type Http1Limits,
  RequestDecoder,
  type RequestHead,
  type RequestSink,
} from '../protocol/http1/decode.ts';
import { continueLine, encodeResponseHead, FRAMING_LENGTH } from '../protocol/http1/encode.ts';
import { reasonPhrase } from '../protocol/http1/reason.ts';
import { type AdminReply, textReply } from './reply.ts';

const limits: Http1Limits = { maxHeaderBytes: 16 * 1024, maxHeaderCount: 100, allowHttp10: true };
const bodyLimitBytes = 64 * 1024;

/** Without a request under way. */
const idleMs = 5000;
/** From the first byte of a request to its last. */
const requestMs = 10_000;
/** For a client that is slow to take what it asked for. */
const drainMs = 60_000;
/** For a client to take leave. */
const leaveMs = 1000;

/** A request, read to its end; its body is of no use here and not kept. */
export interface AdminCall {
  readonly method: string;
  /** Path with query. */
  readonly target: string;
  readonly authority: string;
  readonly headers: Headers;
}

/** Answers a call, at once or later. */
export type AdminAnswer = (call: AdminCall, reply: (reply: AdminReply) => void) => void;

export class AdminConnection implements ConnectionOwner, RequestSink {
  private readonly connection: Connection;
  private readonly clock: Clock;
  private readonly answer: AdminAnswer;
  private readonly decoder = new RequestDecoder(limits, this);
  private head: RequestHead | null = null;
  private received = 0;
  private isAnswering = false;
  private isDecoding = false;
  private isLeaving = false;
  /** Nothing more comes from the client. */
  private hasFin = false;
  /** What came behind a request that is not answered yet. */
  private rest: Buffer | null = null;
  private deadline: Timer | null = null;

  constructor(connection: Connection, clock: Clock, answer: AdminAnswer) {
    this.connection = connection;
    this.clock = clock;
    this.answer = answer;
    connection.owner = this;
    connection.listenForData();
    this.allow(idleMs);
  }

  // ---- bytes in

  onBytes(buffer: Buffer, offset: number, length: number): void {
    if (this.isLeaving) return;
    if (this.isBusy) {
      this.keep(buffer.subarray(offset, offset + length));
      return;
    }
    if (this.decoder.isIdle) this.allow(requestMs);
    this.decode(buffer, offset, offset + length);
  }

  private get isBusy(): boolean {
    return this.isAnswering || this.rest !== null || this.connection.isCongested;
  }

  // Reading stops, so that no more comes than was already on its way.
  private keep(bytes: Buffer): void {
    this.rest = this.rest === null ? Buffer.from(bytes) : Buffer.concat([this.rest, bytes]);
    this.connection.pause();
  }

  private decode(buffer: Buffer, start: number, end: number): void {
    let at = start;
    this.isDecoding = true;
    while (at < end && !this.isBusy && !this.isLeaving) {
      at += this.decoder.decode(buffer, at, end);
      if (this.decoder.error !== null) this.refuse(this.decoder.error);
    }
    this.isDecoding = false;
    if (at < end && !this.isLeaving) this.keep(buffer.subarray(at, end));
  }

  private goOn(): void {
    const { rest } = this;
    if (this.isDecoding || this.isAnswering || this.isLeaving || this.connection.isCongested) return;
    this.rest = null;
    this.connection.resume();
    if (rest !== null) this.decode(rest, 0, rest.length);
    if (this.hasFin && !this.isBusy) this.leave();
  }

  onFin(): void {
    this.hasFin = true;
    if (!this.isBusy) this.leave();
  }

  onDrain(): void {
    this.allow(idleMs);
    this.goOn();
  }

  onClose(): void {
    this.deadline?.stop();
    this.isLeaving = true;
  }

  // ---- one request

  onRequest(head: RequestHead): void {
    this.head = head;
    this.received = 0;
    if (head.hasBody && head.facts.expectContinue) this.connection.out.latin1(continueLine);
  }

  onData(_buffer: Buffer, _offset: number, length: number): void {
    this.received += length;
    if (this.received <= bodyLimitBytes || this.isLeaving) return;
    this.send(textReply('the body is too large; admin pages take none\n', 413), false, this.head?.method);
  }

  onEnd(_trailers: HeaderBlock | null): void {
    const { head } = this;
    if (head === null || this.isLeaving) return;
    this.head = null;
    this.isAnswering = true;
    this.deadline?.stop();
    const { method, path: target, authority } = head;
    this.answer({ method, target, authority, headers: new Headers(head.block) }, (reply) => {
      this.isAnswering = false;
      this.send(reply, head.keepAlive, method);
    });
  }

  private refuse({ kind, message }: Http1Error): void {
    const status = kind === 'too-large' ? 431 : 400;
    this.send(textReply(`the request cannot be read: ${message}\n`, status), false);
  }

  // ---- bytes out

  private send(reply: AdminReply, keepAlive: boolean, method = 'GET'): void {
    if (this.isLeaving) return;
    const body = Buffer.from(reply.body);
    const headers = Headers.of(
      ...['content-type', reply.type, 'content-length', String(body.length)],
      ...['cache-control', 'no-cache, max-age=0', 'x-content-type-options', 'nosniff', 'x-frame-options', 'DENY'],
      ...['date', new Date(this.clock.wallMs()).toUTCString()],
    );
    const option = keepAlive ? 'keep-alive' : 'close';
    const { out } = this.connection;
    encodeResponseHead(out, reply.status, reasonPhrase(reply.status), headers, FRAMING_LENGTH, option);
    if (method !== 'HEAD') this.connection.write(body, 0, body.length);
    this.connection.flush();
    if (!keepAlive) {
      this.leave();
      return;
    }
    this.allow(this.connection.isCongested ? drainMs : idleMs);
    this.goOn();
  }

  /** Nothing more is answered; what is written still goes out. */
  private leave(): void {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.rest = null;
    this.decoder.close();
    // What still comes is read and dropped: closing upon it would take the reply back from the client.
    this.connection.resume();
    this.connection.end();
    this.allow(this.connection.isCongested ? drainMs : leaveMs);
  }

  private allow(ms: number): void {
    this.deadline?.stop();
    if (!this.connection.isClosed) this.deadline = this.clock.start(ms, onDeadline, this.connection);
  }
}

function onDeadline(connection: Connection): void {
  connection.destroy();
}
