// One attempt after the other to have a request answered: picks the host, sends head and body, keeps the body that another attempt
// may need, gives an attempt up. Whether there is to be another one is the router's affair, which is built upon this in the same
// object, so that an exchange costs one.

import type { Clock, Timer } from '@weft/lib/clock';
import type { Headers } from '@weft/lib/header';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Host } from '../../cluster/host.ts';
import { type Fault, fault } from '../../fault/fault.ts';
import type { RetryPolicy } from '../../route/retry-policy.ts';
import type { Route } from '../../route/route.ts';
import type { Exchange } from '../../stream/exchange.ts';
import type { StreamConfig } from '../../stream/stream-config.ts';
import { poolOf } from '../../upstream/pool.ts';
import type { UpstreamEvents, UpstreamPool, UpstreamStream } from '../../upstream/upstream-stream.ts';
import { RequestReplay } from './request-replay.ts';
import { TryIdle, type TryIdleOwner } from './try-idle.ts';

const noBytes = Buffer.alloc(0);

/** Attempt states: idle -> waiting (for a connection) -> sending -> backing off -> waiting ... -> done. */
export const IDLE = 0;
export const WAITING = 1;
export const SENDING = 2;
export const BACKING_OFF = 3;
export const DONE = 4;

export abstract class Attempt implements UpstreamEvents, TryIdleOwner {
  protected readonly exchange: Exchange;
  protected readonly config: StreamConfig;
  protected readonly clock: Clock;
  protected route: Route | null = null;
  protected cluster: Cluster | null = null;
  /** The route's, or what the request asks for. */
  protected retryPolicy: RetryPolicy | null = null;
  protected host: Host | null = null;
  protected pool: UpstreamPool | null = null;
  protected stream: UpstreamStream | null = null;
  protected state: number = IDLE;
  protected replay: RequestReplay | null = null;
  /** The head of the present attempt was all of it. */
  private endedWithHead = false;
  protected isRequestEnded = false;
  protected requestTrailers: Headers | null = null;
  /** One for all attempts, so that the cookie it may have made is one. */
  protected hash: number | null = null;
  protected attempted: Host[] | null = null;
  protected tryTimeout: Timer | null = null;
  protected tryIdle: TryIdle | null = null;
  /** What the request says of that; -1 leaves it to the cluster. */
  protected requestedAttemptMs = -1;
  protected attemptTimer: Timer | null = null;
  protected isResponsePaused = false;
  protected isResponseEnded = false;

  constructor(exchange: Exchange, config: StreamConfig) {
    this.exchange = exchange;
    this.config = config;
    this.clock = config.clock;
  }

  // ---- what the router adds

  /** Whether the body may be needed again. */
  protected abstract mayReplay(): boolean;
  /** The attempt and the exchange with it have failed. */
  protected abstract fail(reason: Fault, details: string): void;
  /** The whole request has been sent. */
  protected abstract onRequestSent(): void;
  abstract onTryTimeoutOver(): void;
  abstract onTryIdle(): void;
  abstract onAttemptTooLong(): void;
  abstract onResponseHead(status: number, headers: Headers, endStream: boolean): void;
  abstract onUpstreamFailed(reason: Fault, details: string): void;

  // ---- a new attempt

  protected attempt(): void {
    const { exchange, route } = this;
    if (exchange.attempts > 0) this.followCluster();
    const { cluster } = this;
    if (cluster === null || route === null) return;
    exchange.attempts++;
    const host = cluster.pick({
      hash: this.hash,
      originalDestination: exchange.connection.originalDestination,
      headers: exchange.requestHeaders,
      authority: exchange.authority,
      attempted: this.retryPolicy?.avoidsPreviousHosts ? this.attempted : null,
      hostAttempts: this.retryPolicy?.hostSelectionAttempts ?? 1,
      random: exchange.attempts === 1 ? exchange.random : this.config.random(),
    });
    if (host === null) {
      this.fail(fault.no_healthy_host, 'no_healthy_upstream');
      return;
    }
    this.host = host;
    exchange.host = host;
    if (route.isAutoHostRewrite) this.nameHost(route, host.hostname);
    if (route.virtualHost.includesAttemptCount) {
      exchange.requestHeaders.set('x-envoy-attempt-count', String(exchange.attempts));
    }
    host.onRequestStart();
    this.state = WAITING;
    this.isResponseEnded = false;
    this.startStream(host, route);
  }

  // Since the last attempt another version may have come, and the hosts of the old one may be gone.
  private followCluster(): void {
    const { cluster, exchange, config } = this;
    if (cluster === null) return;
    const current = config.clusters.get(cluster.name);
    if (current === null) this.fail(fault.no_healthy_host, 'no_healthy_upstream');
    else exchange.cluster = current;
    this.cluster = current;
  }

  // What the client asked for is told by the first attempt; a later one only goes to another name.
  private nameHost(route: Route, hostname: string): void {
    const { exchange, config } = this;
    if (exchange.attempts === 1) route.rewriteHost(exchange, hostname, !config.suppressEnvoyHeaders);
    else if (hostname !== '') exchange.authority = hostname;
  }

  /** All has been sent that is sent before the answer: of an upgrade that is the head, though its request does not end. */
  protected get awaitsAnswer(): boolean {
    const { upgrade } = this.exchange;
    return this.isRequestEnded || (upgrade !== null && upgrade !== 'CONNECT');
  }

  // As Envoy: for as long as it takes to send the request, and to get a connection, nobody has failed to answer.
  protected startTryTimeout(): void {
    const perTryMs = this.retryPolicy?.perTryTimeoutMs ?? 0;
    if (perTryMs === 0 || this.state !== SENDING || this.tryTimeout !== null) return;
    this.tryTimeout = this.clock.start(perTryMs, onTryTimeout, this as Attempt);
  }

  private startTryIdle(): void {
    const idleMs = this.retryPolicy?.perTryIdleTimeoutMs ?? 0;
    if (idleMs > 0) this.tryIdle = new TryIdle(this, this.clock, idleMs);
  }

  // Envoy: HttpProtocolOptions.max_stream_duration of the cluster, from the moment that there is a connection to the end of the stream.
  private limitAttempt(): void {
    const { requestedAttemptMs } = this;
    const limitMs = requestedAttemptMs >= 0 ? requestedAttemptMs : (this.cluster?.maxStreamDurationMs ?? 0);
    if (limitMs > 0) this.attemptTimer = this.clock.start(limitMs, onAttemptOver, this as Attempt);
  }

  private startStream(host: Host, route: Route): void {
    const { exchange } = this;
    this.pool = poolOf(
      host,
      {
        client: exchange.connection,
        endsTunnel: exchange.upgrade === 'CONNECT' && route.terminatesConnect,
        isHighPriority: route.isHighPriority,
        isHttp2Client: exchange.protocol === 'HTTP/2',
      },
      this.clock,
    );
    const bodyReady = this.replay === null ? 0 : this.replay.length;
    this.endedWithHead = this.isRequestEnded && bodyReady === 0 && this.requestTrailers === null;
    this.pool.start(exchange, this.endedWithHead, this);
  }

  onUpstreamReady(stream: UpstreamStream): void {
    const { exchange, replay } = this;
    this.stream = stream;
    this.state = SENDING;
    this.host?.onRequestSent();
    exchange.upstreamStartMs = this.clock.now() - exchange.startMs;
    exchange.upstreamLocalAddress = stream.localAddress;
    this.startTryIdle();
    this.limitAttempt();
    if (this.awaitsAnswer) this.startTryTimeout();
    if (replay !== null && replay.length > 0) {
      stream.sendData(replay.buffer, 0, replay.length, this.isRequestEnded && this.requestTrailers === null);
      if (!this.mayReplay() || replay.isOverflown) this.replay = null;
    } else if (this.isRequestEnded && !this.endedWithHead && this.requestTrailers === null) {
      // The end came, without a body, after the head was given away and before there was a stream to tell.
      stream.sendData(noBytes, 0, 0, true);
    }
    if (this.requestTrailers !== null) stream.sendTrailers(this.requestTrailers);
    if (stream.isCongested) exchange.onUpstreamCongested();
    else exchange.onUpstreamDrain();
  }

  // ---- request body

  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.state === DONE) return;
    this.tryIdle?.touch();
    if (endStream) this.isRequestEnded = true;
    if (this.state !== SENDING || (this.replay !== null && this.mayReplay())) this.keep(buffer, offset, length);
    // What goes by now cannot be sent again, and the rest without it must not be.
    else if (length > 0) this.replay = null;
    const { stream } = this;
    if (stream !== null) {
      stream.sendData(buffer, offset, length, endStream);
      if (stream.isCongested) this.exchange.onUpstreamCongested();
    } else this.exchange.onUpstreamCongested();
    if (endStream) this.onRequestSent();
  }

  sendTrailers(trailers: Headers): void {
    if (this.state === DONE) return;
    this.isRequestEnded = true;
    this.requestTrailers = trailers;
    this.stream?.sendTrailers(trailers);
    this.onRequestSent();
  }

  // Kept for the attempt that is not ready yet, and for those that may follow. While there is no stream the client is not read from,
  // so what comes then is what was on its way already.
  private keep(buffer: Buffer, offset: number, length: number): void {
    this.replay ??= new RequestReplay(this.bufferLimitBytes());
    this.replay.append(buffer, offset, length, this.stream === null);
  }

  protected bufferLimitBytes(): number {
    const ofRoute = this.route?.bufferLimitBytes ?? -1;
    return ofRoute < 0 ? this.config.bufferLimitBytes : ofRoute;
  }

  /** What was sent can be sent again. */
  protected canReplayBody(): boolean {
    if (this.replay !== null) return !this.replay.isOverflown;
    return this.exchange.requestEnded && this.exchange.bytesReceived === 0;
  }

  // ---- response

  onInformational(status: number, headers: Headers): void {
    this.exchange.onInformational(status, headers);
  }

  onResponseData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.state !== SENDING) return;
    this.tryIdle?.touch();
    if (endStream) this.release();
    this.exchange.onResponseData(buffer, offset, length, endStream);
  }

  onResponseTrailers(trailers: Headers): void {
    if (this.state !== SENDING) return;
    this.release();
    this.exchange.onResponseTrailers(trailers);
  }

  onUpstreamDrain(): void {
    this.exchange.onUpstreamDrain();
  }

  // ---- flow control from the client

  pauseResponse(): void {
    if (this.stream === null || this.isResponsePaused) return;
    this.isResponsePaused = true;
    this.cluster?.stats.upstreamFlowControlPausedReadingTotal.inc();
    this.stream.pauseResponse();
  }

  resumeResponse(): void {
    if (!this.isResponsePaused) return;
    this.isResponsePaused = false;
    this.cluster?.stats.upstreamFlowControlResumedReadingTotal.inc();
    this.stream?.resumeResponse();
  }

  // ---- endings

  /** The response is complete: the stream is the pool's again. */
  protected release(): void {
    this.isResponseEnded = true;
    this.stopTryIdle();
    this.resumeResponse();
    if (this.isRequestEnded) this.stream = null;
  }

  protected dropAttempt(): void {
    this.stopAttemptTimers();
    const { stream, pool } = this;
    this.stream = null;
    this.pool = null;
    if (stream !== null) stream.abandon();
    else if (this.state === WAITING) pool?.cancel(this);
  }

  protected releaseHost(): void {
    this.host?.onRequestEnd();
    this.host = null;
  }

  protected stopTryTimeout(): void {
    this.tryTimeout?.stop();
    this.tryTimeout = null;
  }

  protected stopAttemptTimers(): void {
    this.stopTryTimeout();
    this.stopTryIdle();
    this.attemptTimer?.stop();
    this.attemptTimer = null;
  }

  protected stopTryIdle(): void {
    this.tryIdle?.stop();
    this.tryIdle = null;
  }
}

function onTryTimeout(attempt: Attempt): void {
  attempt.onTryTimeoutOver();
}

function onAttemptOver(attempt: Attempt): void {
  attempt.onAttemptTooLong();
}
