// One HTTP/2 connection from a client: each of its streams is an exchange of its own.

import type { Timer } from '@weft/lib/clock';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import { type Placed, PlacedSet } from '@weft/lib/placed-set';
import { fault } from '../../fault/fault.ts';
import type { Connection, ConnectionOwner } from '../../io/connection.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { Http2Connection, type Http2Sink, type Http2Stream } from '../../protocol/http2/connection.ts';
import { ErrorCode, type Http2Error } from '../../protocol/http2/error.ts';
import type { H2RequestHead } from '../../protocol/http2/message.ts';
import { Exchange } from '../../stream/exchange.ts';
import { Http2KeepAlive, type KeepAliveOwner } from '../../upstream/http2-keep-alive.ts';
import type { Http2Stats } from '../../upstream/http2-stats.ts';
import { ageOf, type ConnectionAge } from './connection-age.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import { Http2Downstream } from './http2-downstream.ts';
import { Linger } from './linger.ts';
import { answerAtOnce, prepareHead, prepareTrailers } from './request-head.ts';

/** Between the two GOAWAYs of a graceful end: time for requests that are already on their way (RFC 9113 §6.8). */
const drainNoticeMs = 1000;
/** The codec counts floods per interval. */
const tickMs = 1000;

export class Http2Server implements ConnectionOwner, Http2Sink, KeepAliveOwner, Placed {
  place = -1;
  readonly info: ConnectionInfo;
  readonly tally: Http2Stats;
  readonly http2: Http2Connection;
  readonly connection: Connection;
  private manager: HttpConnectionManager;
  /** Streams whose exchange is not over. */
  private readonly active = new PlacedSet<Http2Downstream>();
  private watch: Timer | null = null;
  private drainTimer: Timer | null = null;
  private activeMs: number;
  private readonly keepAlive: Http2KeepAlive | null;
  lastByteMs: number;
  private isDraining = false;
  /** The connection is about to end; nothing more is read. */
  private lingering: Linger | null = null;
  private readonly age: ConnectionAge | null;

  constructor(manager: HttpConnectionManager, connection: Connection, info: ConnectionInfo) {
    this.manager = manager;
    this.connection = connection;
    this.info = info;
    this.tally = manager.counters.http2;
    this.activeMs = manager.clock.now();
    this.lastByteMs = this.activeMs;
    this.http2 = new Http2Connection('server', manager.http2Settings, manager.http2Limits, this, () => connection.out);
    connection.owner = this;
    manager.onConnectionOpen();
    this.age = ageOf(manager, this);
    this.http2.start();
    this.watch = manager.clock.start(tickMs, onWatch, this as Http2Server);
    const { keepAlive, clock, random } = manager;
    this.keepAlive = keepAlive === null ? null : new Http2KeepAlive(keepAlive, this, clock, random);
  }

  get nowMs(): number {
    return this.manager.clock.now();
  }

  get isCongested(): boolean {
    return this.connection.isCongested;
  }

  onBytes(buffer: Buffer, offset: number, length: number): void {
    this.lastByteMs = this.manager.clock.now();
    if (this.lingering !== null) {
      this.lingering.onBytes(length);
      return;
    }
    this.http2.decode(buffer, offset, offset + length);
    if (this.http2.isDear) this.connection.yieldTurn();
    // A peer that sends without reading must not make us write without end.
    if (this.connection.isCongested && !this.connection.paused) this.connection.pause();
  }

  // ---- events of the codec

  onRequest(stream: Http2Stream, head: H2RequestHead, endStream: boolean): void {
    const { manager } = this;
    if (this.age !== null) this.age.onRequest();
    const upgrade = head.method === 'CONNECT' ? (head.protocol ?? 'CONNECT') : null;
    const headers = new Headers(head.block);
    const downstream = new Http2Downstream(this, stream, endStream);
    if (!endStream && headers.get('expect')?.toLowerCase() === '100-continue') {
      // We answer it ourselves, so the endpoint is not asked.
      headers.remove('expect');
      downstream.wantsContinue = true;
    }
    // What asks for an upgrade is a GET in HTTP/1: routes and policies see the same request in either protocol.
    const seen = head.protocol === null ? head : { ...head, method: 'GET' };
    const prepared = prepareHead(manager, this.info, seen, headers, upgrade);
    stream.user = downstream;
    this.active.add(downstream);
    this.tally.streamsActive.value++;
    const exchange = new Exchange(manager, downstream, prepared);
    downstream.exchange = exchange;
    manager.onRequest(exchange);
    if (head.tooLarge) exchange.fail(fault.request_headers_too_large);
    else if (head.authority === '') exchange.fail(fault.missing_host);
    else if (!answerAtOnce(manager, exchange, prepared)) exchange.start(endStream);
  }

  onData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    const { user } = stream;
    if (user instanceof Http2Downstream) user.onData(buffer, offset, length, endStream);
    else this.http2.consume(stream, length);
  }

  onTrailers(stream: Http2Stream, block: HeaderBlock): void {
    if (stream.user instanceof Http2Downstream) stream.user.onTrailers(prepareTrailers(this.manager, block, 2));
  }

  onReset(stream: Http2Stream, code: number, cause: Http2Error | null): void {
    if (!(stream.user instanceof Http2Downstream)) return;
    if (cause === null) stream.user.onReset(fault.downstream_reset, `http2_reset_${code}`);
    else stream.user.onReset(fault.downstream_protocol_error, `http2_${cause.code}`);
  }

  onWritable(stream: Http2Stream): void {
    if (stream.user instanceof Http2Downstream) stream.user.onWritable();
  }

  // What it means to ask for no more may still be on its way, and is answered.
  onGoAway(): void {
    this.drain();
  }

  onPong(): void {
    this.keepAlive?.onPong();
  }

  /** No sign of life for the keep-alive time-out. */
  onDead(): void {
    this.tally.keepAliveTimeout.value++;
    this.connection.destroy();
  }

  onConnectionError(error: Http2Error): void {
    const { counters } = this.manager;
    counters.protocolError.inc();
    this.tally.countError(error);
    if (error.code === 'reset_flood') counters.prematureResets.inc();
    for (const downstream of this.active.all()) {
      downstream.onReset(fault.downstream_protocol_error, `http2_${error.code}`);
    }
    this.end();
  }

  // ---- connection

  onFin(): void {
    for (const downstream of this.active.all()) {
      downstream.onReset(fault.downstream_closed, 'downstream_remote_disconnect');
    }
    this.connection.end();
  }

  onClose(): void {
    this.watch?.stop();
    this.lingering?.stop();
    this.age?.stop();
    this.drainTimer?.stop();
    this.keepAlive?.stop();
    this.watch = this.drainTimer = null;
    for (const downstream of this.active.all()) {
      downstream.onReset(fault.downstream_closed, 'downstream_remote_disconnect');
      if (this.active.delete(downstream)) this.tally.streamsActive.value--;
    }
    this.http2.onClosed();
    this.manager.onConnectionClose(this);
  }

  onDrain(): void {
    this.http2.onFlushed();
    this.connection.resume();
    for (const downstream of this.active.all()) downstream.onWritable();
  }

  /** The exchange on that stream is over. */
  forget(downstream: Http2Downstream): void {
    if (this.active.delete(downstream)) this.tally.streamsActive.value--;
    this.activeMs = this.manager.clock.now();
    if (this.active.size === 0) this.endWhenIdle();
  }

  private endWhenIdle(): void {
    if (this.isDraining && this.drainTimer === null && this.active.size === 0) this.end();
  }

  private end(): void {
    if (this.lingering !== null) return;
    this.keepAlive?.stop();
    this.watch?.stop();
    this.watch = null;
    this.lingering = new Linger(this.connection, this.manager.clock);
  }

  /** From the next request on another configuration holds. */
  moveTo(manager: HttpConnectionManager): void {
    this.manager = manager;
  }

  /** First the notice that streams are to go elsewhere, a moment later the last word on which were taken. */
  drain(): void {
    if (this.isDraining || this.connection.isClosed) return;
    this.isDraining = true;
    this.http2.shutdownNotice();
    this.drainTimer = this.manager.clock.start(drainNoticeMs, onNoticeOver, this as Http2Server);
  }

  wearOut(): void {
    this.drain();
  }

  onNoticeOver(): void {
    this.drainTimer = null;
    this.http2.goAway(ErrorCode.NO_ERROR);
    this.endWhenIdle();
  }

  destroy(): void {
    this.connection.destroy();
  }

  onWatchTick(): void {
    const { manager } = this;
    const nowMs = manager.clock.now();
    this.http2.tick(!this.connection.paused);
    if (manager.isDraining) this.drain();
    for (const downstream of this.active.all()) downstream.checkTimeouts(nowMs, manager);
    const idleMs = manager.idleTimeoutMs;
    if (this.active.size === 0 && idleMs > 0 && nowMs >= this.activeMs + idleMs) {
      manager.counters.idleTimeout.inc();
      this.drain();
    }
    if (this.lingering === null && !this.connection.isClosed)
      this.watch = manager.clock.start(tickMs, onWatch, this as Http2Server);
  }
}

function onWatch(server: Http2Server): void {
  server.onWatchTick();
}

function onNoticeOver(server: Http2Server): void {
  server.onNoticeOver();
}
