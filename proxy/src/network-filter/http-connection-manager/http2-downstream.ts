// One HTTP/2 stream as its exchange sees it: flow control both ways, head, data, trailers, reset.

import { BodyBuffer } from '@weft/lib/body-buffer';
import { Headers } from '@weft/lib/header';
import type { Placed } from '@weft/lib/placed-set';
import type { Fault } from '../../fault/fault.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import type { Http2Connection, Http2Stream } from '../../protocol/http2/connection.ts';
import { ErrorCode } from '../../protocol/http2/error.ts';
import type { Downstream } from '../../stream/downstream.ts';
import type { Exchange } from '../../stream/exchange.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import type { Http2Server } from './http2-server.ts';
import { failLateStream } from './stream-deadline.ts';

const noHeaders: Headers = Headers.of();

export class Http2Downstream implements Downstream, Placed {
  place = -1;
  exchange: Exchange | null = null;
  /** The client waits with the body until it is asked for it. */
  wantsContinue = false;
  private readonly server: Http2Server;
  private readonly http2: Http2Connection;
  private readonly stream: Http2Stream;
  private isRequestEnded: boolean;
  private isPaused = false;
  /** Received while the request was paused: the peer may send on only when it is consumed. */
  private owedBytes = 0;
  private pending: BodyBuffer | null = null;
  /** When the peer last took something of what is pending. */
  private takenMs = 0;
  private endsAfterPending = false;
  private trailersAfterPending: Headers | null = null;

  constructor(server: Http2Server, stream: Http2Stream, endStream: boolean) {
    this.server = server;
    this.http2 = server.http2;
    this.stream = stream;
    this.isRequestEnded = endStream;
  }

  get info(): ConnectionInfo {
    return this.server.info;
  }

  get isCongested(): boolean {
    return this.pending !== null || this.server.connection.isCongested;
  }

  // ---- request

  onData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (endStream) this.isRequestEnded = true;
    if (this.isPaused) this.owe(length);
    else this.http2.consume(this.stream, length);
    this.exchange?.onRequestData(buffer, offset, length, endStream);
  }

  private owe(length: number): void {
    this.owedBytes += length;
    this.http2.hold(this.stream, length);
  }

  onTrailers(trailers: Headers): void {
    this.isRequestEnded = true;
    this.exchange?.onRequestTrailers(trailers);
  }

  /** Nobody waits for the answer any more. */
  onReset(reason: Fault, details: string): void {
    const { exchange } = this;
    this.exchange = null;
    this.server.forget(this);
    exchange?.onDownstreamReset(reason, details);
  }

  pauseRequest(): void {
    this.isPaused = true;
  }

  resumeRequest(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const owed = this.owedBytes;
    this.owedBytes = 0;
    if (owed > 0) this.http2.consume(this.stream, owed);
  }

  wantBody(): void {
    if (!this.wantsContinue) return;
    this.wantsContinue = false;
    this.http2.sendResponseHead(this.stream, 100, noHeaders, false);
  }

  // ---- response

  sendInformational(status: number, headers: Headers): void {
    // A client that waited for 100 has had it.
    if (status === 100) return;
    headers.remove('content-length');
    this.http2.sendResponseHead(this.stream, status, headers, false);
  }

  sendHead(exchange: Exchange, endStream: boolean): void {
    let { status } = exchange;
    // RFC 8441 §5: what HTTP/1 accepts by 101 an extended CONNECT accepts by 200.
    if (status === 101 && exchange.upgrade !== null) status = 200;
    // RFC 9110 §8.6: neither a 2xx to CONNECT nor a 204 has a length; clients reset a stream that has one.
    if ((exchange.upgrade !== null && status < 300) || status === 204)
      exchange.responseHeaders?.remove('content-length');
    if (exchange.responseHeaders !== null)
      this.http2.sendResponseHead(this.stream, status, exchange.responseHeaders, endStream);
  }

  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    let taken = 0;
    if (this.pending === null) taken = this.http2.sendData(this.stream, buffer, offset, length, endStream);
    if (taken === length && this.pending === null) return;
    if (this.pending === null) {
      this.pending = new BodyBuffer();
      this.takenMs = this.server.nowMs;
    }
    this.pending.append(buffer, offset + taken, length - taken);
    if (endStream) this.endsAfterPending = true;
  }

  sendTrailers(trailers: Headers): void {
    if (this.pending === null) this.http2.sendTrailers(this.stream, trailers);
    else this.trailersAfterPending = trailers;
  }

  /** The peer takes bytes again. */
  onWritable(): void {
    const { pending } = this;
    if (pending !== null && !this.flushPending(pending)) return;
    this.exchange?.onDownstreamDrain();
  }

  private flushPending(pending: BodyBuffer): boolean {
    const taken = this.http2.sendData(
      this.stream,
      pending.buffer,
      pending.start,
      pending.length,
      this.endsAfterPending,
    );
    if (taken > 0) this.takenMs = this.server.nowMs;
    pending.take(taken);
    if (pending.length > 0) return false;
    this.pending = null;
    if (this.trailersAfterPending !== null) this.http2.sendTrailers(this.stream, this.trailersAfterPending);
    if (this.endsAfterPending || this.trailersAfterPending !== null) this.finish();
    return true;
  }

  cut({ upgrade }: Exchange): void {
    this.pending = null;
    this.http2.resetStream(this.stream, cutCode(upgrade));
  }

  onExchangeComplete(exchange: Exchange): void {
    this.exchange = null;
    if (!exchange.responseEnded) this.http2.resetStream(this.stream, ErrorCode.INTERNAL_ERROR);
    // The last bytes may still wait for the peer's window.
    if (this.pending === null) this.finish();
  }

  private finish(): void {
    // RFC 9113 §8.1: a response that needs no more of the request asks for the rest to be kept.
    if (!this.isRequestEnded) this.http2.resetStream(this.stream, ErrorCode.NO_ERROR);
    this.server.forget(this);
  }

  handOver(): boolean {
    return false;
  }

  checkTimeouts(nowMs: number, manager: HttpConnectionManager): void {
    const { exchange } = this;
    if (exchange === null) {
      this.checkFlush(nowMs, manager);
      return;
    }
    failLateStream(exchange, manager, exchange.upgrade !== null || this.isRequestEnded, nowMs);
  }

  // The exchange is over; a peer that does not open its window must not keep the last bytes here for ever.
  private checkFlush(nowMs: number, manager: HttpConnectionManager): void {
    const flushMs = manager.streamIdleTimeoutMs || manager.idleTimeoutMs;
    if (this.pending === null || flushMs === 0 || nowMs < this.takenMs + flushMs) return;
    this.server.tally.txFlushTimeout.value++;
    this.pending = null;
    this.http2.resetStream(this.stream, ErrorCode.CANCEL);
    this.server.forget(this);
  }
}

// What a TCP connection says by a reset: RFC 9113 §8.5 of a tunnel, RFC 8441 §5 of an upgrade.
function cutCode(upgrade: string | null): number {
  if (upgrade === null) return ErrorCode.INTERNAL_ERROR;
  return upgrade === 'CONNECT' ? ErrorCode.CONNECT_ERROR : ErrorCode.CANCEL;
}
