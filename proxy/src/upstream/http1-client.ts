// One HTTP/1.1 connection to a host: one exchange at a time, then back to the pool.

import { BodyBuffer } from '@weft/lib/body-buffer';
import type { Clock, Timer } from '@weft/lib/clock';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import type { Placed } from '@weft/lib/placed-set';
import type { ClusterStats } from '../cluster/cluster-stats.ts';
import { type Fault, fault } from '../fault/fault.ts';
import type { Connection, ConnectionOwner } from '../io/connection.ts';
import {
  type Http1Limits,
  ResponseDecoder,
  type ResponseHead,
  type ResponseHeads,
  type ResponseSink,
} from '../protocol/http1/decode.ts';
import {
  encodeChunkEnd,
  encodeChunkHead,
  encodeLastChunk,
  encodeRequestHead,
  FRAMING_CHUNKED,
  FRAMING_EMPTY,
  FRAMING_LENGTH,
  FRAMING_NONE,
  type Framing,
} from '../protocol/http1/encode.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamStream } from './upstream-stream.ts';
import { addWebSocketKey } from './websocket-key.ts';

/** What the pool wants to know of its connections. */
export interface Http1ClientOwner {
  /** The exchange is over and the connection may carry the next one. */
  onClientFree(client: Http1Client): void;
  onClientClosed(client: Http1Client): void;
}

/** Subtracted from the endpoint's `Keep-Alive: timeout`, so that it is us who close first. */
const keepAliveMarginMs = 1000;

/** States: free -> busy (`start`) -> free (both messages complete) | closed. */
export class Http1Client implements ConnectionOwner, ResponseSink, UpstreamStream, Placed {
  place = -1;
  private readonly connection: Connection;
  private readonly owner: Http1ClientOwner;
  private readonly clock: Clock;
  private readonly stats: ClusterStats;
  private readonly decoder: ResponseDecoder;
  private events: UpstreamEvents | null = null;
  private isRequestEnded = true;
  private isResponseEnded = true;
  private isChunked = false;
  private isTunnel = false;
  private upgrade: string | null = null;
  /** What the client sent into a tunnel that the endpoint has not accepted yet. */
  private held: BodyBuffer | null = null;
  private endsHeld = false;
  private hasBody = false;
  private mayReuse = true;
  /** Bytes of the request that are still in the arena: it has not left the process. */
  private flushedAtStart = 0;
  private gotResponseByte = false;
  private isDecoding = false;
  /** The exchange ended among bytes that are not all read yet. */
  private isFreeAfterDecode = false;
  /** Runs on through an exchange and looks again when it fires: most connections are never idle for long. */
  private idleTimer: Timer | null = null;
  private freeSinceMs = 0;
  private idleTimeoutMs: number;
  private readonly requestsMax: number;
  private age: Timer | null = null;
  requests = 0;
  isClosed = false;

  constructor(connection: Connection, owner: Http1ClientOwner, clock: Clock, options: Http1ClientOptions) {
    this.connection = connection;
    this.owner = owner;
    this.clock = clock;
    this.stats = options.stats;
    this.stats.upstreamCxHttp1Total.value++;
    this.decoder = new ResponseDecoder(options.limits, this, options.heads);
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.requestsMax = options.requestsMax;
    if (options.maxDurationMs > 0) this.age = clock.start(options.maxDurationMs, onAge, this as Http1Client);
    connection.owner = this;
  }

  get isCongested(): boolean {
    return this.held !== null || this.connection.isCongested;
  }

  get localAddress(): string {
    return this.connection.localAddress;
  }

  /** Sends the head. The connection must be free. */
  start(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): void {
    this.events = events;
    this.requests++;
    this.gotResponseByte = false;
    this.isResponseEnded = false;
    this.upgrade = head.upgrade;
    this.isRequestEnded = endStream && head.upgrade === null;
    this.held = null;
    this.endsHeld = endStream && head.upgrade !== null;
    // Whatever an endpoint makes of an upgrade, the next request does not come behind it.
    if (head.upgrade !== null) this.mayReuse = false;
    const framing = requestFraming(head, endStream);
    this.isChunked = framing === FRAMING_CHUNKED;
    this.isTunnel = false;
    // RFC 9110 §9.3.6, RFC 8441 §4: what follows the head is no content, so it has no length.
    if (head.upgrade !== null) head.requestHeaders.remove('content-length');
    if (head.upgrade !== null && head.upgrade !== 'CONNECT') {
      head.requestHeaders.set('connection', 'Upgrade');
      head.requestHeaders.set('upgrade', head.upgrade);
      if (head.protocol === 'HTTP/2') addWebSocketKey(head.upgrade, head.requestHeaders);
    }
    this.decoder.start(head.method);
    this.flushedAtStart = this.connection.bytesWritten;
    // RFC 9112 §3.2.3: what CONNECT asks for is an authority.
    const target = head.upgrade === 'CONNECT' ? head.authority : head.path;
    encodeRequestHead(this.connection.out, head.method, target, head.authority, head.requestHeaders, framing);
    this.checkRequests();
    events.onUpstreamReady(this);
  }

  // The request that reaches the limit is the last one.
  private checkRequests(): void {
    if (!this.mayReuse || this.requests < this.requestsMax) return;
    this.stats.upstreamCxMaxRequests.value++;
    this.mayReuse = false;
  }

  /** As old as it may become. */
  onTooOld(): void {
    this.age = null;
    this.stats.upstreamCxMaxDurationReached.value++;
    this.retire();
  }

  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.isClosed || this.isRequestEnded) return;
    if (this.upgrade !== null && !this.isTunnel) {
      this.hold(buffer, offset, length, endStream);
      return;
    }
    if (length > 0) this.writeBody(buffer, offset, length);
    if (endStream) this.endRequest(null);
  }

  // An endpoint that does not take the upgrade would read them as its next request.
  private hold(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (endStream) this.endsHeld = true;
    if (length === 0) return;
    this.held ??= new BodyBuffer();
    this.held.append(buffer, offset, length);
  }

  private releaseHeld(): void {
    const { held } = this;
    this.held = null;
    if (held !== null) this.connection.write(held.buffer, held.start, held.length);
    held?.take(held.length);
    if (this.endsHeld) this.endRequest(null);
    else if (held !== null && !this.connection.isCongested) this.events?.onUpstreamDrain();
  }

  private writeBody(buffer: Buffer, offset: number, length: number): void {
    if (!this.isChunked) {
      this.connection.write(buffer, offset, length);
      return;
    }
    encodeChunkHead(this.connection.out, length);
    this.connection.write(buffer, offset, length);
    encodeChunkEnd(this.connection.out);
  }

  sendTrailers(trailers: Headers): void {
    if (!this.isClosed && !this.isRequestEnded) this.endRequest(trailers);
  }

  private endRequest(trailers: Headers | null): void {
    this.isRequestEnded = true;
    if (this.isTunnel) this.connection.end();
    else if (this.isChunked) encodeLastChunk(this.connection.out, trailers);
    if (this.isResponseEnded) this.finish();
  }

  abandon(): void {
    this.events = null;
    if (this.isClosed) return;
    this.connection.release();
    // What a tunnel carries is not complete, and who is behind the endpoint may have nothing else to tell it by.
    if (this.isTunnel && !this.isRequestEnded) this.connection.reset();
    else this.connection.destroy();
    this.close();
  }

  pauseResponse(): void {
    this.connection.pause();
  }

  resumeResponse(): void {
    this.connection.resume();
  }

  onBytes(buffer: Buffer, offset: number, length: number): void {
    if (this.events === null) {
      // Bytes nobody asked for: a second response would be taken for the next request's.
      this.abandon();
      return;
    }
    this.gotResponseByte = true;
    if (this.isTunnel) {
      this.events.onResponseData(buffer, offset, length, false);
      return;
    }
    this.isDecoding = true;
    const used = this.decoder.decode(buffer, offset, offset + length);
    this.isDecoding = false;
    if (this.decoder.isDear) this.connection.yieldTurn();
    if (this.decoder.error !== null) {
      this.stats.upstreamCxProtocolError.value++;
      this.fail(
        this.decoder.error.kind === 'too-large' ? fault.response_headers_too_large : fault.upstream_protocol_error,
        this.decoder.error.code,
      );
      return;
    }
    const { isFreeAfterDecode } = this;
    this.isFreeAfterDecode = false;
    if (used < length) this.onSurplus(buffer, offset + used, length - used);
    else if (isFreeAfterDecode && !this.isClosed) this.becomeFree();
  }

  // After a switch of protocols the rest belongs to the tunnel; after a complete response it belongs to nobody.
  private onSurplus(buffer: Buffer, offset: number, length: number): void {
    if (this.isTunnel && this.events !== null) this.events.onResponseData(buffer, offset, length, false);
    else if (!this.isClosed) this.abandon();
  }

  onInformational(head: ResponseHead): void {
    this.events?.onInformational(head.status, new Headers(head.block));
  }

  onResponse(head: ResponseHead): void {
    const { events } = this;
    if (events === null) return;
    if (head.isTunnel && !this.wasAskedFor(head)) {
      this.fail(fault.upgrade_failed, 'an upgrade that nobody asked for');
      return;
    }
    this.isTunnel = head.isTunnel;
    if (!head.keepAlive) this.mayReuse = false;
    if (head.facts.keepAliveTimeoutSeconds >= 0) this.heedKeepAliveHint(head.facts.keepAliveTimeoutSeconds);
    this.hasBody = head.hasBody;
    events.onResponseHead(head.status, new Headers(head.block), !head.hasBody && !this.isTunnel);
    if (this.isTunnel) this.releaseHeld();
  }

  // RFC 9110 §7.8: only to what the client offered, and the response says to what.
  private wasAskedFor(head: ResponseHead): boolean {
    if (head.status !== 101) return this.upgrade !== null;
    return this.upgrade !== null && head.facts.upgrade === this.upgrade.toLowerCase();
  }

  private heedKeepAliveHint(seconds: number): void {
    const hintMs = Math.max(0, seconds * 1000 - keepAliveMarginMs);
    if (hintMs === 0) this.mayReuse = false;
    else if (this.idleTimeoutMs === 0 || hintMs < this.idleTimeoutMs) {
      this.idleTimeoutMs = hintMs;
      this.idleTimer?.stop();
      this.idleTimer = null;
    }
  }

  onData(buffer: Buffer, offset: number, length: number): void {
    this.events?.onResponseData(buffer, offset, length, false);
  }

  onEnd(trailers: HeaderBlock | null): void {
    if (this.isTunnel) return;
    const { events, hasBody } = this;
    this.isResponseEnded = true;
    if (events === null) return;
    if (this.isRequestEnded) this.events = null;
    if (trailers !== null) events.onResponseTrailers(new Headers(trailers));
    else if (hasBody) events.onResponseData(noBytes, 0, 0, true);
    if (this.isRequestEnded) this.finish();
  }

  private finish(): void {
    this.events = null;
    if (this.isClosed) return;
    if (this.isTunnel) {
      // Both directions have ended; the last bytes of ours may be on their way.
      this.connection.release();
      this.connection.finish();
      this.close();
      return;
    }
    if (!this.mayReuse || this.connection.ended) {
      this.abandon();
      return;
    }
    // Only when it is known that nothing follows may another exchange have the connection.
    if (this.isDecoding) this.isFreeAfterDecode = true;
    else this.becomeFree();
  }

  /** May carry an exchange from now on, or idle. */
  becomeFree(): void {
    if (this.idleTimeoutMs > 0) this.startIdling();
    if (this.connection.paused) this.connection.resume();
    this.owner.onClientFree(this);
  }

  private startIdling(): void {
    this.freeSinceMs = this.clock.now();
    this.idleTimer ??= this.clock.start(this.idleTimeoutMs, onIdle, this as Http1Client);
  }

  /** Closes a connection that was free for the whole time. */
  onIdleCheck(): void {
    this.idleTimer = null;
    if (this.events !== null || !this.isRequestEnded) return;
    const leftMs = this.freeSinceMs + this.idleTimeoutMs - this.clock.now();
    if (leftMs > 0) this.idleTimer = this.clock.start(leftMs, onIdle, this as Http1Client);
    else this.closeIdle();
  }

  onFin(): void {
    if (this.isTunnel) {
      const { events } = this;
      this.isResponseEnded = true;
      events?.onResponseData(noBytes, 0, 0, true);
      if (this.isRequestEnded) this.finish();
      return;
    }
    this.onPeerGone('the endpoint closed the connection');
  }

  onClose(error: Error | null): void {
    if (this.isClosed) return;
    const isAnswering = this.events !== null && !this.isResponseEnded && !this.isTunnel;
    // RFC 9112 §8: what only the end of the connection ends is not complete when that end was an error.
    if (error !== null && isAnswering) this.fail(this.closeFault(), error.message);
    else this.onPeerGone(error === null ? 'the connection was closed' : error.message);
  }

  private onPeerGone(details: string): void {
    if (this.events === null || this.isTunnel) {
      const { events } = this;
      this.events = null;
      if (!this.isResponseEnded || !this.isRequestEnded) events?.onUpstreamFailed(fault.upstream_closed, details);
      this.abandon();
      return;
    }
    this.mayReuse = false;
    if (this.decoder.finish()) {
      if (!this.isClosed) this.abandon();
      return;
    }
    this.fail(this.closeFault(), details);
  }

  private closeFault(): Fault {
    if (this.gotResponseByte) return fault.upstream_closed;
    const leftTheProcess = this.connection.bytesWritten > this.flushedAtStart;
    if (!leftTheProcess) return fault.connection_closed_unused;
    return this.requests > 1 ? fault.reused_connection_closed : fault.upstream_closed;
  }

  private fail(reason: Fault, details: string): void {
    const { events } = this;
    this.events = null;
    this.abandon();
    events?.onUpstreamFailed(reason, details);
  }

  onDrain(): void {
    this.events?.onUpstreamDrain();
  }

  private closeIdle(): void {
    this.stats.upstreamCxIdleTimeout.value++;
    this.abandon();
  }

  /** Lets the present exchange finish, then closes. */
  retire(): void {
    this.mayReuse = false;
    if (this.events === null) this.abandon();
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (!this.isRequestEnded || !this.isResponseEnded) this.stats.upstreamCxDestroyWithActiveRq.value++;
    this.idleTimer?.stop();
    this.idleTimer = null;
    this.age?.stop();
    this.age = null;
    this.owner.onClientClosed(this);
  }
}

/** Limits of one connection, from the cluster. Zero means none. */
export interface Http1ClientOptions {
  readonly stats: ClusterStats;
  readonly limits: Http1Limits;
  /** Shared by the endpoint's connections. */
  readonly heads: ResponseHeads;
  readonly idleTimeoutMs: number;
  readonly requestsMax: number;
  readonly maxDurationMs: number;
}

const noBytes = Buffer.alloc(0);

function onIdle(client: Http1Client): void {
  client.onIdleCheck();
}

function onAge(client: Http1Client): void {
  client.onTooOld();
}

function requestFraming(head: UpstreamHead, endStream: boolean): Framing {
  if (head.upgrade !== null) return FRAMING_NONE;
  if (head.requestHeaders.has('content-length')) return FRAMING_LENGTH;
  if (!endStream) return FRAMING_CHUNKED;
  return head.method !== 'GET' && expectsBody(head.method) ? FRAMING_EMPTY : FRAMING_NONE;
}

function expectsBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}
