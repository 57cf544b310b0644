// One attempt on an HTTP/2 connection: flow control both ways, head, data, trailers, reset.

import { BodyBuffer } from '@weft/lib/body-buffer';
import type { Headers } from '@weft/lib/header';
import type { Placed } from '@weft/lib/placed-set';
import { type Fault, fault } from '../fault/fault.ts';
import type { Http2Stream } from '../protocol/http2/connection.ts';
import { ErrorCode } from '../protocol/http2/error.ts';
import type { Http2Client } from './http2-client.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamStream } from './upstream-stream.ts';
import { addWebSocketAccept } from './websocket-key.ts';

export class Http2UpstreamStream implements UpstreamStream, Placed {
  place = -1;
  events: UpstreamEvents | null;
  private readonly client: Http2Client;
  private readonly stream: Http2Stream;
  private readonly head: UpstreamHead;
  private isRequestEnded: boolean;
  private isResponseEnded = false;
  private isPaused = false;
  private owedBytes = 0;
  private pending: BodyBuffer | null = null;
  private endsAfterPending = false;
  private trailersAfterPending: Headers | null = null;

  constructor(client: Http2Client, stream: Http2Stream, events: UpstreamEvents, isEnded: boolean, head: UpstreamHead) {
    this.client = client;
    this.stream = stream;
    this.events = events;
    this.isRequestEnded = isEnded;
    this.head = head;
  }

  get isCongested(): boolean {
    return this.pending !== null || this.client.connection.isCongested;
  }

  get localAddress(): string {
    return this.client.connection.localAddress;
  }

  // ---- request

  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (endStream) this.isRequestEnded = true;
    let taken = 0;
    if (this.pending === null) taken = this.client.http2.sendData(this.stream, buffer, offset, length, endStream);
    if (taken < length || this.pending !== null) {
      this.pending ??= new BodyBuffer();
      this.pending.append(buffer, offset + taken, length - taken);
      this.endsAfterPending = endStream;
      return;
    }
    this.finishIfOver();
  }

  sendTrailers(trailers: Headers): void {
    this.isRequestEnded = true;
    if (this.pending === null) this.client.http2.sendTrailers(this.stream, trailers);
    else this.trailersAfterPending = trailers;
    this.finishIfOver();
  }

  onWritable(): void {
    const { pending } = this;
    if (pending !== null) {
      const taken = this.client.http2.sendData(
        this.stream,
        pending.buffer,
        pending.start,
        pending.length,
        this.endsAfterPending,
      );
      pending.take(taken);
      if (pending.length > 0) return;
      this.pending = null;
      if (this.trailersAfterPending !== null) this.client.http2.sendTrailers(this.stream, this.trailersAfterPending);
      this.finishIfOver();
    }
    this.events?.onUpstreamDrain();
  }

  // ---- response

  onResponse(status: number, headers: Headers, endStream: boolean): void {
    if (endStream) this.isResponseEnded = true;
    const { events } = this;
    this.finishIfOver();
    const { upgrade, protocol, requestHeaders } = this.head;
    // RFC 8441 §4: a stream accepts by 2xx what HTTP/1 accepts by 101.
    const isAccepted = upgrade !== null && upgrade !== 'CONNECT' && status >= 200 && status < 300;
    if (isAccepted && protocol !== 'HTTP/2') addWebSocketAccept(upgrade, requestHeaders, headers);
    events?.onResponseHead(isAccepted ? 101 : status, headers, endStream);
  }

  onData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.isPaused) this.owe(length);
    else this.client.http2.consume(this.stream, length);
    if (endStream) this.isResponseEnded = true;
    const { events } = this;
    this.finishIfOver();
    events?.onResponseData(buffer, offset, length, endStream);
  }

  private owe(length: number): void {
    this.owedBytes += length;
    this.client.http2.hold(this.stream, length);
  }

  onTrailers(trailers: Headers): void {
    this.isResponseEnded = true;
    const { events } = this;
    this.finishIfOver();
    events?.onResponseTrailers(trailers);
  }

  private finishIfOver(): void {
    if (!this.isResponseEnded || !this.isRequestEnded || this.pending !== null) return;
    this.events = null;
    this.client.forget(this);
  }

  onFailed(reason: Fault, details: string): void {
    const { events, isResponseEnded } = this;
    if (reason === fault.upstream_reset) this.client.stats.upstreamRqRxReset.value++;
    this.events = null;
    this.pending = null;
    this.client.forget(this);
    // What a tunnel's client still sends has nowhere to go.
    if (!isResponseEnded || this.head.upgrade !== null) events?.onUpstreamFailed(reason, details);
  }

  abandon(): void {
    if (!this.stream.isClosed) this.client.stats.upstreamRqTxReset.value++;
    this.events = null;
    this.pending = null;
    this.client.http2.resetStream(this.stream, ErrorCode.CANCEL);
    this.client.forget(this);
  }

  pauseResponse(): void {
    this.isPaused = true;
  }

  resumeResponse(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const owed = this.owedBytes;
    this.owedBytes = 0;
    if (owed > 0) this.client.http2.consume(this.stream, owed);
  }
}
