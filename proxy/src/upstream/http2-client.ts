// One HTTP/2 connection to a host: many exchanges at once, within the peer's limit.

import type { Clock, Timer } from '@weft/lib/clock';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import { PlacedSet } from '@weft/lib/placed-set';
import type { ClusterStats } from '../cluster/cluster-stats.ts';
import { type Fault, fault } from '../fault/fault.ts';
import type { Connection, ConnectionOwner } from '../io/connection.ts';
import {
  Http2Connection,
  type Http2Limits,
  type Http2Settings,
  type Http2Sink,
  type Http2Stream,
} from '../protocol/http2/connection.ts';
import { ErrorCode, type Http2Error, http2Error } from '../protocol/http2/error.ts';
import { Http2KeepAlive, type KeepAliveOwner, type KeepAlivePlan } from './http2-keep-alive.ts';
import type { Http2Stats } from './http2-stats.ts';
import { Http2UpstreamStream } from './http2-upstream-stream.ts';
import type { UpstreamEvents, UpstreamHead } from './upstream-stream.ts';
import type { Waiting } from './waiting-queue.ts';

/** What the pool wants to know of its connections. */
export interface Http2ClientOwner {
  /** Streams that a connection may have at a time, as the host said last. */
  expectedStreams: number;
  /** The client can take more streams than a moment ago. */
  onClientRoom(client: Http2Client): void;
  onClientClosed(client: Http2Client): void;
}

export interface Http2ClientOptions {
  readonly stats: ClusterStats;
  readonly settings: Http2Settings;
  readonly limits: Http2Limits;
  readonly idleTimeoutMs: number;
  /** At a time, whatever the peer allows (Envoy: `max_concurrent_streams` of a cluster). */
  readonly streamsMax: number;
  readonly requestsMax: number;
  readonly maxDurationMs: number;
  readonly tally: Http2Stats;
  readonly keepAlive: KeepAlivePlan | null;
  readonly random: () => number;
}

/** A peer that resets streams at its very limit is not driven up to it. */
const headroomStreams = 1;
const tickMs = 1000;
/** How long a peer may take to read what is left. */
const lingerMs = 1000;
const noBytes = Buffer.alloc(0);

/** States: open -> retiring (no new streams) -> closed. */
export class Http2Client implements ConnectionOwner, Http2Sink, KeepAliveOwner {
  readonly http2: Http2Connection;
  readonly connection: Connection;
  readonly tally: Http2Stats;
  lastByteMs: number;
  private readonly owner: Http2ClientOwner;
  private readonly clock: Clock;
  private readonly options: Http2ClientOptions;
  private readonly active = new PlacedSet<Http2UpstreamStream>();
  /** Upgrades that wait to hear whether the peer takes them. */
  private readonly undecided: Waiting[] = [];
  private readonly age: Timer | null;
  private watch: Timer | null = null;
  private idleSinceMs: number;
  private readonly keepAlive: Http2KeepAlive | null;
  private isRetiring = false;
  requests = 0;
  isClosed = false;

  constructor(connection: Connection, owner: Http2ClientOwner, clock: Clock, options: Http2ClientOptions) {
    this.connection = connection;
    this.owner = owner;
    this.clock = clock;
    this.options = options;
    options.stats.upstreamCxHttp2Total.value++;
    this.tally = options.tally;
    this.idleSinceMs = clock.now();
    this.lastByteMs = this.idleSinceMs;
    const { maxDurationMs } = options;
    this.age = maxDurationMs === 0 ? null : clock.start(maxDurationMs, onAge, this as Http2Client);
    this.http2 = new Http2Connection('client', options.settings, options.limits, this, () => connection.out);
    connection.owner = this;
    this.http2.start();
    this.watch = clock.start(tickMs, onWatch, this as Http2Client);
    const { keepAlive, random } = options;
    this.keepAlive = keepAlive === null ? null : new Http2KeepAlive(keepAlive, this, clock, random);
  }

  get isCongested(): boolean {
    return this.connection.isCongested;
  }

  /** Whether another stream may start now. */
  get hasRoom(): boolean {
    if (this.isClosed || this.isRetiring || this.http2.isGoingAway) return false;
    return this.load < Math.min(this.peerStreams, this.options.streamsMax);
  }

  private get peerStreams(): number {
    const { hasPeerSettings, peerMaxStreams } = this.http2;
    if (!hasPeerSettings) return Math.min(peerMaxStreams - headroomStreams, this.owner.expectedStreams);
    return peerMaxStreams === 0 ? 0 : Math.max(1, peerMaxStreams - headroomStreams);
  }

  get load(): number {
    return this.active.size + this.undecided.length;
  }

  /** Sends the head; the client must have room. */
  start(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): void {
    const upgrade = head.upgrade;
    const isExtended = upgrade !== null && upgrade !== 'CONNECT';
    if (isExtended && !this.http2.hasPeerSettings) {
      this.undecided.push({ head, endStream, events });
      return;
    }
    // RFC 8441 §3: a peer that has not announced it takes no extended CONNECT.
    if (isExtended && !this.http2.peer.enablesConnectProtocol) {
      events.onUpstreamFailed(fault.upgrade_failed, 'the endpoint takes no upgrades over HTTP/2');
      return;
    }
    // RFC 8441 §4: what follows the head is no content, so it has no length, and endpoints refuse one that has.
    if (upgrade !== null) head.requestHeaders.remove('content-length');
    this.keepAlive?.onStream();
    const stream = this.http2.openStream(
      {
        method: upgrade === null ? head.method : 'CONNECT',
        path: upgrade === 'CONNECT' ? '' : head.path,
        authority: head.authority,
        scheme: head.scheme,
        protocol: isExtended ? upgrade : null,
        headers: head.requestHeaders,
      },
      endStream && upgrade === null,
    );
    if (stream === null) {
      events.onUpstreamFailed(fault.upstream_refused, 'the connection takes no more streams');
      return;
    }
    this.requests++;
    this.checkRequests();
    // It was the last identifier that there is.
    if (this.http2.isGoingAway) this.isRetiring = true;
    const carrier = new Http2UpstreamStream(this, stream, events, endStream && upgrade === null, head);
    stream.user = carrier;
    this.tally.streamsActive.value++;
    this.active.add(carrier);
    events.onUpstreamReady(carrier);
    // A tunnel's end goes behind its head.
    if (endStream && upgrade !== null && carrier.events !== null) carrier.sendData(noBytes, 0, 0, true);
  }

  // The request that reaches the limit is the last one.
  private checkRequests(): void {
    const { requestsMax, stats } = this.options;
    if (this.isRetiring || this.requests < requestsMax) return;
    stats.upstreamCxMaxRequests.value++;
    this.isRetiring = true;
  }

  /** As old as it may become. */
  onTooOld(): void {
    this.options.stats.upstreamCxMaxDurationReached.value++;
    this.retire();
  }

  get stats(): ClusterStats {
    return this.options.stats;
  }

  // ---- events of the codec

  onInformational(stream: Http2Stream, status: number, block: HeaderBlock): void {
    carrierOf(stream)?.events?.onInformational(status, new Headers(block));
  }

  onResponse(stream: Http2Stream, status: number, block: HeaderBlock, endStream: boolean): void {
    carrierOf(stream)?.onResponse(status, new Headers(block), endStream);
  }

  onData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    const carrier = carrierOf(stream);
    if (carrier === null) this.http2.consume(stream, length);
    else carrier.onData(buffer, offset, length, endStream);
  }

  onTrailers(stream: Http2Stream, block: HeaderBlock): void {
    carrierOf(stream)?.onTrailers(new Headers(block));
  }

  onReset(stream: Http2Stream, code: number, cause: Http2Error | null): void {
    const carrier = carrierOf(stream);
    if (carrier === null) return;
    carrier.onFailed(resetFault(code, cause), cause === null ? `http2_reset_${code}` : `http2_${cause.code}`);
  }

  onWritable(stream: Http2Stream): void {
    carrierOf(stream)?.onWritable();
  }

  /** Streams above the last id come as resets with REFUSED_STREAM; what is below goes on. */
  onGoAway(): void {
    this.isRetiring = true;
    if (this.load === 0) this.close();
  }

  onSettings(): void {
    // One that takes none now may take some later; that many then wait.
    this.owner.expectedStreams = Math.max(1, this.peerStreams);
    for (const { head, endStream, events } of this.undecided.splice(0)) this.start(head, endStream, events);
    if (this.hasRoom) this.owner.onClientRoom(this);
  }

  onPong(): void {
    this.keepAlive?.onPong();
  }

  /** No sign of life for the keep-alive time-out. */
  onDead(): void {
    this.tally.keepAliveTimeout.value++;
    this.failAll(fault.upstream_closed, 'http2_ping_timeout');
    // Nobody reads what is left to be said.
    this.connection.destroy();
    this.close();
  }

  onConnectionError(error: Http2Error): void {
    this.options.stats.upstreamCxProtocolError.value++;
    this.tally.countError(error);
    this.failAll(fault.upstream_protocol_error, `http2_${error.code}`);
    this.connection.end();
    this.close();
  }

  // ---- connection

  onBytes(buffer: Buffer, offset: number, length: number): void {
    this.lastByteMs = this.clock.now();
    this.http2.decode(buffer, offset, offset + length);
    if (this.http2.isDear) this.connection.yieldTurn();
  }

  onFin(): void {
    this.failAll(fault.upstream_closed, 'the endpoint closed the connection');
    this.close();
  }

  onClose(error: Error | null): void {
    this.failAll(fault.upstream_closed, error === null ? 'the connection was closed' : error.message);
    this.close();
  }

  onDrain(): void {
    this.http2.onFlushed();
    for (const carrier of this.active.all()) carrier.onWritable();
  }

  private failAll(reason: Fault, details: string): void {
    // What waits must not start here because those before it are over.
    this.isRetiring = true;
    if (this.load > 0) this.options.stats.upstreamCxDestroyWithActiveRq.value++;
    for (const carrier of this.active.all()) carrier.onFailed(reason, details);
    for (const { events } of this.undecided.splice(0)) events.onUpstreamFailed(reason, details);
  }

  /** Forgets an upgrade that waits; false when there is none of these. */
  cancel(events: UpstreamEvents): boolean {
    const at = this.undecided.findIndex((start) => start.events === events);
    if (at < 0) return false;
    this.undecided.splice(at, 1);
    if (this.isRetiring && this.load === 0) this.close();
    return true;
  }

  /** That exchange is over. */
  forget(carrier: Http2UpstreamStream): void {
    if (!this.active.delete(carrier)) return;
    this.tally.streamsActive.value--;
    this.idleSinceMs = this.clock.now();
    if (this.isRetiring && this.load === 0) this.close();
    else if (this.hasRoom) this.owner.onClientRoom(this);
  }

  /** Lets what runs finish, then closes. */
  retire(): void {
    this.isRetiring = true;
    if (this.load === 0) this.close();
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.watch?.stop();
    this.age?.stop();
    this.keepAlive?.stop();
    if (!this.connection.isClosed) {
      if (!this.http2.isGoingAway) this.http2.goAway(ErrorCode.NO_ERROR);
      this.connection.release();
      this.connection.finish();
      this.clock.start(lingerMs, destroy, this.connection);
    }
    this.http2.onClosed();
    this.owner.onClientClosed(this);
  }

  onWatchTick(): void {
    this.http2.tick(!this.connection.paused);
    const { idleTimeoutMs } = this.options;
    if (this.load === 0 && idleTimeoutMs > 0 && this.clock.now() >= this.idleSinceMs + idleTimeoutMs) {
      this.options.stats.upstreamCxIdleTimeout.value++;
      this.close();
      return;
    }
    if (!this.isClosed) this.watch = this.clock.start(tickMs, onWatch, this as Http2Client);
  }
}

function carrierOf(stream: Http2Stream): Http2UpstreamStream | null {
  return stream.user instanceof Http2UpstreamStream ? stream.user : null;
}

function resetFault(code: number, cause: Http2Error | null): Fault {
  if (cause === http2Error.head_too_large) return fault.response_headers_too_large;
  if (cause !== null) return fault.upstream_protocol_error;
  return code === ErrorCode.REFUSED_STREAM ? fault.upstream_refused : fault.upstream_reset;
}

function destroy(connection: Connection): void {
  connection.destroy();
}

function onAge(client: Http2Client): void {
  client.onTooOld();
}

function onWatch(client: Http2Client): void {
  client.onWatchTick();
}
