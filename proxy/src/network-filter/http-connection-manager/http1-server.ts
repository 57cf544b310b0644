// One HTTP/1 connection from a client: decodes requests one after the other, writes their responses, keeps or ends the connection.

import type { Timer } from '@weft/lib/clock';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import type { Placed } from '@weft/lib/placed-set';
import { type Fault, fault } from '../../fault/fault.ts';
import type { Connection, ConnectionOwner } from '../../io/connection.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { RequestDecoder, type RequestHead, type RequestSink } from '../../protocol/http1/decode.ts';
import {
  continueLine,
  encodeChunkEnd,
  encodeChunkHead,
  encodeLastChunk,
  encodeResponseHead,
  FRAMING_CHUNKED,
  FRAMING_LENGTH,
  FRAMING_NONE,
  type Framing,
} from '../../protocol/http1/encode.ts';
import type { Http1Error, Http1ErrorKind } from '../../protocol/http1/error.ts';
import { reasonPhrase } from '../../protocol/http1/reason.ts';
import { acceptsUpgrade } from '../../protocol/upgrade.ts';
import type { Downstream } from '../../stream/downstream.ts';
import { Exchange } from '../../stream/exchange.ts';
import { ageOf, type ConnectionAge } from './connection-age.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import { Linger } from './linger.ts';
import { answerAtOnce, prepareHead, prepareTrailers } from './request-head.ts';
import { failLateStream, streamDeadlineMs } from './stream-deadline.ts';

const noBytes = Buffer.alloc(0);
/** A body that nobody wants any more is read up to here to keep the connection; past it the connection ends. */
const discardLimitBytes = 64 * 1024;

/** Phases: idle -> head -> exchange (body, response) -> idle ... | tunnel | lingering | closed. */
export class Http1Server implements ConnectionOwner, RequestSink, Downstream, Placed {
  place = -1;
  readonly info: ConnectionInfo;
  private manager: HttpConnectionManager;
  private readonly connection: Connection;
  private readonly decoder: RequestDecoder;
  private exchange: Exchange | null = null;
  /** The message of the present exchange is decoded to its end. */
  private isRequestDecoded = true;
  private isResponseSent = false;
  private isChunked = false;
  private isTunnel = false;
  /** The connection is about to end; nothing more is read. */
  private lingering: Linger | null = null;
  private isDecoding = false;
  private mustClose = false;
  /** Over an age limit: whatever a request says, it is the last. */
  private isWorn = false;
  private readonly age: ConnectionAge | null;
  private wantsContinue = false;
  private minor = 1;
  private discarded = 0;
  private residue: Buffer | null = null;
  private tunnelTaker: ((connection: Connection, rest: Buffer) => void) | null = null;
  private watch: Timer | null = null;
  private activeMs: number;
  /** When the first byte of the present head came. */
  private headStartMs = 0;

  constructor(manager: HttpConnectionManager, connection: Connection, info: ConnectionInfo) {
    this.manager = manager;
    this.connection = connection;
    this.info = info;
    this.decoder = new RequestDecoder(manager.limits, this);
    this.activeMs = manager.clock.now();
    connection.owner = this;
    manager.onConnectionOpen();
    this.age = ageOf(manager, this);
    this.watch = manager.clock.start(manager.watchPeriodMs, onWatch, this as Http1Server);
  }

  get isCongested(): boolean {
    return this.connection.isCongested;
  }

  /** No request is under way. */
  get isIdle(): boolean {
    return this.exchange === null;
  }

  // ---- bytes in

  onBytes(buffer: Buffer, offset: number, length: number): void {
    this.activeMs = this.manager.clock.now();
    if (this.isTunnel) {
      this.exchange?.onRequestData(buffer, offset, length, false);
      return;
    }
    if (this.lingering !== null) {
      this.lingering.onBytes(length);
      return;
    }
    if (this.residue !== null || this.mustWait) {
      this.keep(buffer, offset, length);
      return;
    }
    if (this.decoder.isIdle) this.headStartMs = this.activeMs;
    this.decode(buffer, offset, offset + length);
    if (this.decoder.isDear) this.connection.yieldTurn();
  }

  /** No further request is taken: one is being answered, or the client does not read the answers. */
  private get mustWait(): boolean {
    return this.isRequestDecoded && (this.exchange !== null || this.connection.isCongested);
  }

  // A pipelined request waits until the response before it is out; reading stops, so that at most what was already read piles up.
  private keep(buffer: Buffer, offset: number, length: number): void {
    const chunk = buffer.subarray(offset, offset + length);
    this.residue = this.residue === null ? Buffer.from(chunk) : Buffer.concat([this.residue, chunk]);
    this.connection.pause();
  }

  private decode(buffer: Buffer, start: number, end: number): void {
    this.isDecoding = true;
    let at = start;
    while (at < end) {
      at += this.decoder.decode(buffer, at, end);
      if (this.decoder.error !== null) {
        this.isDecoding = false;
        this.onMalformed(this.decoder.error);
        return;
      }
      if (this.tunnelTaker !== null) {
        this.isDecoding = false;
        this.completeHandOver(Buffer.from(buffer.subarray(at, end)));
        return;
      }
      if (at >= end || this.lingering !== null || this.connection.isClosed) break;
      if (this.isTunnel) {
        this.exchange?.onRequestData(buffer, at, end - at, false);
        break;
      }
      if (this.exchange !== null || this.mustWait) {
        this.keep(buffer, at, end - at);
        break;
      }
    }
    this.isDecoding = false;
  }

  private decodeResidue(): void {
    const { residue } = this;
    if (residue === null || this.isDecoding || this.lingering !== null || this.mustWait) return;
    this.residue = null;
    this.activeMs = this.headStartMs = this.manager.clock.now();
    this.decode(residue, 0, residue.length);
    if (this.residue === null) this.connection.resume();
  }

  onRequest(head: RequestHead): void {
    const { manager } = this;
    this.minor = head.minor;
    this.isRequestDecoded = !head.hasBody;
    this.isResponseSent = false;
    this.discarded = 0;
    // RFC 9110 §10.1.1: HTTP/1.0 knows no 100.
    this.wantsContinue = head.facts.expectContinue && head.hasBody && head.minor === 1;
    this.mustClose = !head.keepAlive || manager.isDraining || this.isWorn;
    const headers = new Headers(head.block);
    const upgrade = head.method === 'CONNECT' ? 'CONNECT' : upgradeOf(head, headers);
    // We answer it ourselves, so the endpoint is not asked.
    if (head.facts.expectContinue) headers.remove('expect');
    const prepared = prepareHead(manager, this.info, head, headers, upgrade);
    const exchange = new Exchange(manager, this, prepared);
    this.exchange = exchange;
    if (this.age !== null) this.age.onRequest();
    manager.onRequest(exchange);
    if (answerAtOnce(manager, exchange, prepared)) return;
    if (head.facts.expectOther) {
      exchange.fail(fault.unsupported_expectation);
      return;
    }
    // RFC 9110 §9.3.6: CONNECT has no content; what claims to be some would be the tunnel's first bytes to others.
    if (upgrade === 'CONNECT' && head.hasBody) {
      this.mustClose = true;
      exchange.fail(fault.downstream_protocol_error, 'http1_connect_with_content');
      return;
    }
    exchange.start(!head.hasBody && upgrade === null);
    const idleMs = exchange.route?.idleTimeoutMs ?? -1;
    if (idleMs > 0 && idleMs < manager.watchPeriodMs && this.exchange === exchange) this.watchSooner(idleMs);
  }

  // A route may be less patient than anything by which the watch was set.
  private watchSooner(waitMs: number): void {
    if (this.lingering !== null || this.watch === null) return;
    this.watch.stop();
    this.watch = this.manager.clock.start(waitMs, onWatch, this as Http1Server);
  }

  onData(buffer: Buffer, offset: number, length: number): void {
    if (this.exchange !== null) {
      this.exchange.onRequestData(buffer, offset, length, false);
      return;
    }
    this.discarded += length;
    if (this.discarded > discardLimitBytes) this.linger();
  }

  onEnd(trailers: HeaderBlock | null): void {
    const hadBody = !this.isRequestDecoded;
    this.isRequestDecoded = true;
    const { exchange } = this;
    if (exchange === null) {
      this.nextRequest();
      return;
    }
    if (!hadBody) return;
    if (trailers !== null) exchange.onRequestTrailers(prepareTrailers(this.manager, trailers, 1));
    else exchange.onRequestData(noBytes, 0, 0, true);
  }

  // ---- what ends a connection

  private onMalformed(error: Http1Error): void {
    const { manager } = this;
    manager.counters.protocolError.inc();
    // The rest of a body that has had its answer: another one would be taken for that to the next request.
    if (this.exchange === null && !this.isRequestDecoded) {
      this.linger();
      return;
    }
    this.mustClose = true;
    this.isRequestDecoded = true;
    if (this.exchange !== null) {
      // A body that breaks off is answered while that is still possible.
      this.exchange.fail(malformedFault(error), error.code);
      return;
    }
    const exchange = new Exchange(manager, this, manager.unreadableHead(this.info));
    this.exchange = exchange;
    manager.onRequest(exchange);
    const reason = malformedFault(error);
    const saysMore = error.kind === 'bad' || error.kind === 'coding';
    exchange.fail(reason, error.code, malformedStatus[error.kind] ?? 0, saysMore ? error.message : '');
  }

  onFin(): void {
    if (this.isTunnel) {
      this.exchange?.onRequestData(noBytes, 0, 0, true);
      return;
    }
    // As Envoy and nginx: a client that stops sending has gone; its request is not answered into the void.
    const { exchange } = this;
    if (exchange !== null) exchange.onDownstreamReset(fault.downstream_closed, 'downstream_remote_disconnect');
    this.connection.end();
  }

  onClose(): void {
    this.watch?.stop();
    this.lingering?.stop();
    this.age?.stop();
    this.watch = null;
    this.decoder.close();
    const { exchange } = this;
    this.exchange = null;
    exchange?.onDownstreamReset(fault.downstream_closed, 'downstream_remote_disconnect');
    this.manager.onConnectionClose(this);
  }

  onDrain(): void {
    if (this.exchange !== null) this.exchange.onDownstreamDrain();
    else if (this.isRequestDecoded && this.lingering === null) this.nextRequest();
  }

  // ---- what the exchange asks for

  wantBody(): void {
    if (!this.wantsContinue) return;
    this.wantsContinue = false;
    this.connection.out.latin1(continueLine);
  }

  pauseRequest(): void {
    this.connection.pause();
  }

  resumeRequest(): void {
    if (this.residue === null) this.connection.resume();
  }

  sendInformational(status: number, headers: Headers): void {
    if (this.minor === 0 || status === 100) return;
    encodeResponseHead(this.connection.out, status, reasonPhrase(status), headers, FRAMING_NONE, '');
  }

  sendHead(exchange: Exchange, endStream: boolean): void {
    const headers = exchange.responseHeaders as Headers;
    const { status } = exchange;
    if (exchange.upgrade !== null && acceptsUpgrade(exchange.upgrade, status)) {
      this.sendAcceptedUpgrade(exchange, headers);
      return;
    }
    if (this.wantsContinue || exchange.upgrade === 'CONNECT') this.mustClose = true;
    const framing = this.responseFraming(exchange, headers, endStream);
    this.isChunked = framing === FRAMING_CHUNKED;
    if (this.manager.isDraining) this.mustClose = true;
    const option = this.mustClose ? 'close' : this.minor === 0 ? 'keep-alive' : '';
    encodeResponseHead(this.connection.out, status, reasonPhrase(status), headers, framing, option);
  }

  private responseFraming(exchange: Exchange, headers: Headers, endStream: boolean): Framing {
    const { status } = exchange;
    if (exchange.method === 'HEAD' || status === 204 || status === 304) return FRAMING_NONE;
    if (headers.has('content-length')) return FRAMING_LENGTH;
    if (endStream) {
      headers.add('content-length', '0');
      return FRAMING_LENGTH;
    }
    if (this.minor === 1) return FRAMING_CHUNKED;
    this.mustClose = true;
    return FRAMING_NONE;
  }

  private sendAcceptedUpgrade(exchange: Exchange, headers: Headers): void {
    if (exchange.upgrade !== 'CONNECT') {
      headers.set('connection', 'Upgrade');
      headers.set('upgrade', exchange.upgrade as string);
    }
    // RFC 9110 §8.6: neither a 101 nor a 2xx to CONNECT has a length.
    headers.remove('content-length');
    this.isTunnel = true;
    this.mustClose = true;
    this.isChunked = false;
    this.decoder.upgrade();
    encodeResponseHead(this.connection.out, exchange.status, reasonPhrase(exchange.status), headers, FRAMING_NONE, '');
    const { residue } = this;
    this.residue = null;
    if (residue === null) return;
    // Reading stopped when bytes came before the answer.
    this.connection.resume();
    exchange.onRequestData(residue, 0, residue.length, false);
  }

  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    const { connection } = this;
    if (length > 0) {
      if (this.isChunked) encodeChunkHead(connection.out, length);
      connection.write(buffer, offset, length);
      if (this.isChunked) encodeChunkEnd(connection.out);
    }
    if (!endStream) return;
    if (this.isChunked) encodeLastChunk(connection.out, null);
    if (this.isTunnel) connection.end();
  }

  sendTrailers(trailers: Headers): void {
    if (this.isChunked) encodeLastChunk(this.connection.out, trailers);
  }

  cut(): void {
    this.mustClose = true;
    this.isResponseSent = false;
    this.exchange = null;
    this.connection.flush();
    this.connection.reset();
  }

  onExchangeComplete(exchange: Exchange): void {
    if (this.exchange !== exchange) return;
    this.isResponseSent = exchange.responseEnded;
    this.exchange = null;
    this.activeMs = this.manager.clock.now();
    if (this.tunnelTaker !== null || this.connection.isClosed) return;
    if (!this.isResponseSent) {
      this.connection.flush();
      this.connection.destroy();
      return;
    }
    if (this.isTunnel) {
      this.linger();
      return;
    }
    if (this.isRequestDecoded) this.nextRequest();
    else if (this.mustClose) this.linger();
    else this.connection.resume();
  }

  private nextRequest(): void {
    if (this.mustClose) {
      this.linger();
      return;
    }
    // A client that does not read the answers gets no more of them; `onDrain` goes on.
    if (this.connection.isCongested) this.connection.pause();
    else if (this.residue !== null) setImmediate(() => this.decodeResidue());
    else if (this.connection.paused) this.connection.resume();
  }

  private linger(): void {
    if (this.lingering !== null) return;
    this.residue = null;
    this.watch?.stop();
    this.watch = null;
    this.lingering = new Linger(this.connection, this.manager.clock);
  }

  destroy(): void {
    this.connection.destroy();
  }

  handOver(exchange: Exchange, take: (connection: Connection, rest: Buffer) => void): boolean {
    if (this.exchange !== exchange) return false;
    this.tunnelTaker = take;
    encodeResponseHead(this.connection.out, 200, 'OK', Headers.of(), FRAMING_NONE, '');
    this.decoder.upgrade();
    if (!this.isDecoding) this.completeHandOver(this.residue ?? noBytes);
    return true;
  }

  private completeHandOver(rest: Buffer): void {
    const take = this.tunnelTaker;
    if (take === null || this.connection.isClosed) return;
    this.watch?.stop();
    this.watch = null;
    this.age?.stop();
    const { exchange } = this;
    this.exchange = null;
    this.connection.release();
    this.manager.onConnectionClose(this);
    exchange?.onHandedOver();
    if (this.connection.paused) this.connection.resume();
    take(this.connection, rest);
  }

  // ---- drain and time-outs

  /** From the next request on another configuration holds. */
  moveTo(manager: HttpConnectionManager): void {
    this.manager = manager;
  }

  /** Ends the connection when nothing is under way, else after the exchange. */
  drain(): void {
    this.mustClose = true;
    // The rest of a body that has had its answer is nothing to wait for.
    if (this.exchange === null && (this.decoder.isIdle || !this.isRequestDecoded)) this.linger();
  }

  wearOut(): void {
    this.isWorn = true;
    this.drain();
  }

  onWatchTick(): void {
    const { manager } = this;
    const nowMs = manager.clock.now();
    const deadlineMs = this.deadlineMs();
    if (nowMs >= deadlineMs) {
      this.watch = null;
      this.onDeadline(nowMs);
      if (this.connection.isClosed || this.lingering !== null) return;
    }
    const leftMs = Math.max(1, Math.min(this.deadlineMs() - nowMs, manager.watchPeriodMs));
    this.watch = manager.clock.start(leftMs, onWatch, this as Http1Server);
  }

  private deadlineMs(): number {
    const { manager, exchange } = this;
    if (exchange !== null) return streamDeadlineMs(exchange, manager, this.isRequestOver);
    if (this.decoder.isInHead) return this.headDeadlineMs();
    return manager.idleTimeoutMs === 0 ? Number.POSITIVE_INFINITY : this.activeMs + manager.idleTimeoutMs;
  }

  private headDeadlineMs(): number {
    const { headersTimeoutMs } = this.manager;
    if (headersTimeoutMs === 0) return Number.POSITIVE_INFINITY;
    return this.headStartMs + headersTimeoutMs;
  }

  private onDeadline(nowMs: number): void {
    const { exchange, manager } = this;
    if (exchange === null) {
      if (!this.decoder.isInHead) {
        manager.counters.idleTimeout.inc();
        this.linger();
        return;
      }
      const late = new Exchange(manager, this, manager.unreadableHead(this.info));
      this.exchange = late;
      this.mustClose = true;
      this.isRequestDecoded = true;
      manager.onRequest(late);
      late.fail(fault.request_headers_timeout);
      return;
    }
    this.mustClose = true;
    failLateStream(exchange, manager, this.isRequestOver, nowMs);
  }

  private get isRequestOver(): boolean {
    return this.isRequestDecoded || this.isTunnel;
  }
}

/** Statuses that are not the fault's own. */
const malformedStatus: Readonly<Partial<Record<Http1ErrorKind, number>>> = { coding: 501 };

function malformedFault(error: Http1Error): Fault {
  if (error.kind === 'too-large') return fault.request_headers_too_large;
  if (error.kind === 'missing-host') return fault.missing_host;
  if (error.kind === 'version') return fault.http_version_refused;
  return fault.downstream_protocol_error;
}

// Who does not take an offer answers as if it had not been made (RFC 9110 §7.8). Clients offer h2c with any request (`curl --http2`).
// A request with content would have to be over before the switch, and its end is none of the tunnel's; HTTP/1.0 knows no switch.
function upgradeOf({ facts, hasBody, minor }: RequestHead, headers: Headers): string | null {
  if (hasBody || minor === 0) return null;
  if (facts.upgrade !== 'h2c') return facts.upgrade;
  headers.remove('http2-settings');
  return null;
}

function onWatch(server: Http1Server): void {
  server.onWatchTick();
}
