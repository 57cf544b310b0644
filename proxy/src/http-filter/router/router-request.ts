// The router, last of the HTTP filters: finds route, cluster and host, drives the attempts, forwards the response.
// One per exchange. Before it: the exchange and its filters. After it: route, cluster, upstream.

import type { Clock, Timer } from '@weft/lib/clock';
import { Headers } from '@weft/lib/header';
import type { Breakers } from '../../cluster/breaker/breakers.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Host } from '../../cluster/host.ts';
import { type Fault, fault } from '../../fault/fault.ts';
import type { Route } from '../../route/route.ts';
import type { Exchange } from '../../stream/exchange.ts';
import type { StreamConfig } from '../../stream/stream-config.ts';
import { poolOf } from '../../upstream/pool.ts';
import type { UpstreamEvents, UpstreamPool, UpstreamStream } from '../../upstream/upstream-stream.ts';
import { RequestReplay } from './request-replay.ts';
import { backOffMs, isIdempotent, isRetriableFault, isRetriableResponse } from './retry.ts';
import { TryIdle, type TryIdleOwner } from './try-idle.ts';

const noBytes = Buffer.alloc(0);

/** Attempt states. */
const IDLE = 0;
const WAITING = 1;
const SENDING = 2;
const BACKING_OFF = 3;
const DONE = 4;

export class RouterRequest implements UpstreamEvents, TryIdleOwner {
  private readonly exchange: Exchange;
  private readonly config: StreamConfig;
  private readonly clock: Clock;
  private route: Route | null = null;
  private cluster: Cluster | null = null;
  private breakers: Breakers | null = null;
  private host: Host | null = null;
  private pool: UpstreamPool | null = null;
  private stream: UpstreamStream | null = null;
  private state = IDLE;
  private replay: RequestReplay | null = null;
  /** The head of the present attempt was all of it. */
  private endedWithHead = false;
  private isRequestEnded = false;
  private requestTrailers: Headers | null = null;
  private retriesLeft = 0;
  /** One for all attempts, so that the cookie it may have made is one. */
  private hash: number | null = null;
  private holdsRetry = false;
  private holdsRequest = false;
  private reusedRetryDone = false;
  private attempted: Host[] | null = null;
  private timeout: Timer | null = null;
  private tryTimeout: Timer | null = null;
  private tryIdle: TryIdle | null = null;
  private durationTimer: Timer | null = null;
  private responseStarted = false;
  private isResponsePaused = false;
  private isResponseEnded = false;

  constructor(exchange: Exchange, config: StreamConfig) {
    this.exchange = exchange;
    this.config = config;
    this.clock = config.clock;
  }

  /** The request passed every filter. */
  start(endStream: boolean): void {
    const { exchange } = this;
    const route = exchange.resolveRoute();
    if (route === null) {
      exchange.fail(fault.no_route, 'route_not_found');
      return;
    }
    this.route = route;
    this.isRequestEnded = endStream;
    if (this.answerByRoute(route)) return;
    const name = route.pickCluster(exchange);
    const cluster = name === null ? null : this.config.clusters.get(name);
    if (cluster === null) {
      exchange.fail(fault.no_cluster, 'cluster_not_found', route.clusterNotFoundStatus);
      return;
    }
    this.cluster = cluster;
    exchange.cluster = cluster;
    if (exchange.upgrade !== null && !this.mayUpgrade(route)) return;
    if (exchange.upgrade === 'CONNECT' && cluster.internalListener !== null) {
      this.handToListener(cluster.internalListener);
      return;
    }
    this.prepareRequest(route);
    exchange.downstream.wantBody();
    this.startTimers(route);
    this.breakers = route.isHighPriority ? cluster.highBreakers : cluster.breakers;
    if (!this.breakers.tryRequest()) {
      // Envoy's name for it: nothing waits here, but nothing may.
      cluster.stats.upstreamRqPendingOverflow.inc();
      exchange.fail(fault.breaker_open, 'max_requests');
      return;
    }
    this.holdsRequest = true;
    this.attempt();
  }

  private answerByRoute(route: Route): boolean {
    const { exchange } = this;
    const redirect = route.redirect(exchange);
    if (redirect !== null) {
      const headers = Headers.of('location', redirect.location, 'content-length', '0');
      exchange.status = redirect.status;
      route.mutateResponseHeaders(headers, exchange);
      exchange.reply(redirect.status, headers, '', 'direct_response');
      return true;
    }
    const direct = route.directResponse;
    if (direct === null) {
      if (route.isForwarding) return false;
      exchange.fail(fault.no_route, 'non_forwarding_action');
      return true;
    }
    exchange.status = direct.status;
    const headers = Headers.of('content-type', 'text/plain');
    route.mutateResponseHeaders(headers, exchange);
    if (direct.body === '') headers.remove('content-type');
    exchange.reply(direct.status, headers, direct.body, 'direct_response');
    return true;
  }

  // An upgrade must be enabled by the route, or else by the connection manager (Envoy: RouteAction.upgrade_configs).
  private mayUpgrade(route: Route): boolean {
    const { upgrade } = this.exchange;
    if (upgrade === null) return true;
    const key = upgrade.toLowerCase();
    const byRoute = route.upgrades?.get(key);
    const isAllowed = byRoute ?? this.config.upgrades.get(key) ?? false;
    if (!isAllowed) this.exchange.fail(fault.upgrade_refused, 'upgrade_failed');
    return isAllowed;
  }

  private handToListener(listener: string): void {
    const { exchange, config } = this;
    if (!config.hasTunnel(listener)) {
      exchange.fail(fault.tunnel_refused, `no internal listener ${listener}`);
      return;
    }
    const isHandedOver = exchange.downstream.handOver(exchange, (connection, rest) => {
      config.takeTunnel(listener, connection, exchange, rest);
    });
    if (!isHandedOver) exchange.fail(fault.tunnel_refused, 'the tunnel cannot leave its connection');
  }

  private prepareRequest(route: Route): void {
    const { exchange, config } = this;
    if (!config.suppressEnvoyHeaders && route.timeoutMs > 0) {
      exchange.requestHeaders.set('x-envoy-expected-rq-timeout-ms', String(route.timeoutMs));
    }
    if (route.changesRequestHeaders) route.mutateRequestHeaders(exchange.requestHeaders, exchange);
    route.rewrite(exchange);
    this.hash = route.hash(exchange);
    if (route.retry !== null) {
      this.retriesLeft = route.retry.numRetries;
      this.replay = new RequestReplay(this.bufferLimitBytes());
    }
  }

  private startTimers(route: Route): void {
    const ofRoute = route.durationMs(this.exchange.requestHeaders);
    const own = ofRoute < 0 ? this.config.maxStreamDurationMs : ofRoute;
    const ofCluster = this.cluster?.maxStreamDurationMs ?? 0;
    const durationMs = ofCluster > 0 && (own === 0 || ofCluster < own) ? ofCluster : own;
    if (durationMs > 0) this.durationTimer = this.clock.start(durationMs, onMaxDuration, this as RouterRequest);
    if (this.isRequestEnded) this.startTimeout();
  }

  // As Envoy: the time runs from the moment the whole request is there.
  private startTimeout(): void {
    const timeoutMs = this.route?.timeoutMs ?? 0;
    if (timeoutMs > 0 && this.timeout === null && this.exchange.upgrade === null) {
      this.timeout = this.clock.start(timeoutMs, onTimeout, this as RouterRequest);
    }
  }

  private attempt(): void {
    const { exchange, cluster, route } = this;
    if (cluster === null || route === null) return;
    exchange.attempts++;
    const host = cluster.pick({
      hash: this.hash,
      originalDestination: exchange.connection.originalDestination,
      headers: exchange.requestHeaders,
      attempted: route.retry?.avoidsPreviousHosts ? this.attempted : null,
      hostAttempts: route.retry?.hostSelectionAttempts ?? 1,
      random: exchange.attempts === 1 ? exchange.random : this.config.random(),
    });
    if (host === null) {
      this.fail(fault.no_healthy_host, 'no_healthy_upstream');
      return;
    }
    this.host = host;
    exchange.host = host;
    if (route.isAutoHostRewrite) route.rewriteHost(exchange, host.hostname);
    if (route.virtualHost.includesAttemptCount) {
      exchange.requestHeaders.set('x-envoy-attempt-count', String(exchange.attempts));
    }
    host.onRequestStart();
    this.state = WAITING;
    const perTryMs = route.retry?.perTryTimeoutMs ?? 0;
    if (perTryMs > 0) this.tryTimeout = this.clock.start(perTryMs, onTryTimeout, this as RouterRequest);
    const idleMs = route.retry?.perTryIdleTimeoutMs ?? 0;
    if (idleMs > 0) this.tryIdle = new TryIdle(this, this.clock, idleMs);
    this.pool = poolOf(
      host,
      {
        client: exchange.connection,
        endsTunnel: exchange.upgrade === 'CONNECT' && route.terminatesConnect,
        isHttp2Client: exchange.protocol === 'HTTP/2',
      },
      this.clock,
    );
    const bodyReady = this.replay === null ? 0 : this.replay.length;
    this.endedWithHead = this.isRequestEnded && bodyReady === 0 && this.requestTrailers === null;
    this.pool.start(exchange, this.endedWithHead, this);
  }

  // ---- request body

  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.state === DONE) return;
    this.tryIdle?.touch();
    if (endStream) this.isRequestEnded = true;
    if (this.state !== SENDING || (this.replay !== null && this.mayReplay())) this.keep(buffer, offset, length);
    const { stream } = this;
    if (stream !== null) {
      stream.sendData(buffer, offset, length, endStream);
      if (stream.isCongested) this.exchange.onUpstreamCongested();
    } else this.exchange.onUpstreamCongested();
    if (endStream) this.startTimeout();
  }

  sendTrailers(trailers: Headers): void {
    if (this.state === DONE) return;
    this.isRequestEnded = true;
    this.requestTrailers = trailers;
    this.stream?.sendTrailers(trailers);
    this.startTimeout();
  }

  // Kept for the attempt that is not ready yet, and for those that may follow.
  private keep(buffer: Buffer, offset: number, length: number): void {
    this.replay ??= new RequestReplay(this.bufferLimitBytes());
    if (!this.replay.append(buffer, offset, length) && this.stream === null) this.exchange.fail(fault.buffer_limit);
  }

  private bufferLimitBytes(): number {
    const ofRoute = this.route?.bufferLimitBytes ?? -1;
    return ofRoute < 0 ? this.config.bufferLimitBytes : ofRoute;
  }

  private mayReplay(): boolean {
    return this.route?.retry != null && this.retriesLeft > 0 && !this.responseStarted && this.exchange.upgrade === null;
  }

  // ---- upstream events

  onUpstreamReady(stream: UpstreamStream): void {
    const { exchange, replay } = this;
    this.stream = stream;
    this.state = SENDING;
    exchange.upstreamStartMs = this.clock.now() - exchange.startMs;
    exchange.upstreamLocalAddress = stream.localAddress;
    if (replay !== null && replay.length > 0) {
      stream.sendData(replay.buffer, 0, replay.length, this.isRequestEnded && this.requestTrailers === null);
      if (!this.mayReplay()) this.replay = null;
    } else if (this.isRequestEnded && !this.endedWithHead && this.requestTrailers === null) {
      // The end came, without a body, after the head was given away and before there was a stream to tell.
      stream.sendData(noBytes, 0, 0, true);
    }
    if (this.requestTrailers !== null) stream.sendTrailers(this.requestTrailers);
    if (this.isRequestEnded) return;
    if (stream.isCongested) exchange.onUpstreamCongested();
    else exchange.onUpstreamDrain();
  }

  onInformational(status: number, headers: Headers): void {
    this.exchange.onInformational(status, headers);
  }

  onResponseHead(status: number, headers: Headers, endStream: boolean): void {
    const { exchange, route } = this;
    if (this.state !== SENDING || route === null) return;
    this.tryIdle?.touch();
    this.host?.onRequestResult(status);
    const policy = route.retry;
    if (policy !== null && isRetriableResponse(policy, status, headers, exchange) && this.mayRetryNow()) {
      this.retry();
      return;
    }
    this.responseStarted = true;
    if (this.holdsRetry) this.cluster?.stats.upstreamRqRetrySuccess.inc();
    exchange.responseStartMs = this.clock.now() - exchange.startMs;
    exchange.details = 'via_upstream';
    this.tryTimeout?.stop();
    this.tryTimeout = null;
    if (exchange.upgrade !== null) this.stopResponseTimers();
    if (endStream) this.release();
    if (!this.config.suppressEnvoyHeaders) {
      headers.set(
        'x-envoy-upstream-service-time',
        String(Math.round(exchange.responseStartMs - exchange.upstreamStartMs)),
      );
    }
    if (route.virtualHost.includesAttemptCountInResponse)
      headers.set('x-envoy-attempt-count', String(exchange.attempts));
    exchange.giveCookies(headers);
    exchange.status = status;
    if (route.changesResponseHeaders) route.mutateResponseHeaders(headers, exchange);
    exchange.onResponseHead(status, headers, endStream);
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

  onUpstreamFailed(reason: Fault, details: string): void {
    if (this.state !== SENDING && this.state !== WAITING) return;
    this.stream = null;
    this.pool = null;
    this.stopTryIdle();
    if (this.state === SENDING) {
      this.host?.onRequestFailed(reason);
      if (isEndedByPeer(reason)) this.cluster?.stats.upstreamRqRxReset.inc();
    }
    if (!this.responseStarted && this.retriesFault(reason, this.state === SENDING)) return;
    this.fail(reason, details);
  }

  private retriesFault(reason: Fault, wasSent: boolean): boolean {
    const { exchange, route } = this;
    // Not a retry that the user has to ask for: the request was never taken, so it is sent where it will be.
    const isFree =
      reason === fault.connection_closed_unused ||
      reason === fault.upstream_refused ||
      (reason.retriable === 'idempotent' && isIdempotent(exchange.method));
    if (isFree && !this.reusedRetryDone && this.canReplayBody()) {
      this.reusedRetryDone = true;
      this.releaseHost();
      this.attempt();
      return true;
    }
    const policy = route?.retry ?? null;
    if (policy === null || !isRetriableFault(policy, reason, exchange, wasSent) || !this.mayRetryNow()) return false;
    this.retry();
    return true;
  }

  private canReplayBody(): boolean {
    if (this.replay !== null) return !this.replay.isOverflown;
    return exchangeHasNoBody(this.exchange);
  }

  // ---- retries

  private mayRetryNow(): boolean {
    const { cluster } = this;
    if (cluster === null || this.retriesLeft <= 0 || this.exchange.responseStarted || !this.canReplayBody()) {
      if (this.retriesLeft <= 0 && (this.route?.retry?.numRetries ?? 0) > 0) {
        this.exchange.extraFlags = 'URX';
        cluster?.stats.upstreamRqRetryLimitExceeded.inc();
      }
      return false;
    }
    if (this.holdsRetry) return true;
    if (this.breakers?.tryRetry() !== true) {
      this.exchange.extraFlags = 'UO';
      cluster.stats.upstreamRqRetryOverflow.inc();
      return false;
    }
    this.holdsRetry = true;
    return true;
  }

  private retry(): void {
    const { cluster, route } = this;
    if (cluster === null || route === null || route.retry === null) return;
    this.retriesLeft--;
    cluster.stats.upstreamRqRetry.inc();
    cluster.stats.upstreamRqRetryBackoffExponential.inc();
    this.dropAttempt();
    if (this.host !== null) {
      if (this.attempted === null) this.attempted = [this.host];
      else this.attempted.push(this.host);
    }
    this.releaseHost();
    this.state = BACKING_OFF;
    const used = route.retry.numRetries - this.retriesLeft;
    this.tryTimeout = this.clock.start(
      backOffMs(route.retry, used, this.config.random()),
      onBackOff,
      this as RouterRequest,
    );
  }

  onBackOffOver(): void {
    this.tryTimeout = null;
    if (this.state === BACKING_OFF) this.attempt();
  }

  private dropAttempt(): void {
    this.tryTimeout?.stop();
    this.tryTimeout = null;
    this.stopTryIdle();
    const { stream, pool } = this;
    this.stream = null;
    this.pool = null;
    if (stream !== null) {
      if (!this.isRequestEnded || !this.isResponseEnded) this.cluster?.stats.upstreamRqTxReset.inc();
      stream.abandon();
    } else if (this.state === WAITING) pool?.cancel(this);
  }

  // ---- time-outs

  onTimeoutOver(): void {
    this.timeout = null;
    this.cluster?.stats.upstreamRqTimeout.inc();
    if (this.state === SENDING || this.state === WAITING) this.host?.onRequestFailed(fault.request_timeout);
    this.fail(fault.request_timeout, 'response_timeout');
  }

  onTryTimeoutOver(): void {
    this.tryTimeout = null;
    this.cluster?.stats.upstreamRqPerTryTimeout.inc();
    this.onTryOver('upstream_per_try_timeout');
  }

  onTryIdle(): void {
    this.tryIdle = null;
    this.cluster?.stats.upstreamRqPerTryIdleTimeout.inc();
    this.onTryOver('upstream_per_try_idle_timeout');
  }

  private onTryOver(details: string): void {
    const wasSent = this.state === SENDING;
    const reason = fault.per_try_timeout;
    this.host?.onRequestFailed(reason);
    const policy = this.route?.retry ?? null;
    const mayRepeat = policy !== null && !this.responseStarted;
    if (mayRepeat && isRetriableFault(policy, reason, this.exchange, wasSent) && this.mayRetryNow()) this.retry();
    else this.fail(reason, details);
  }

  onMaxDurationOver(): void {
    this.durationTimer = null;
    this.fail(fault.max_duration, 'max_duration_timeout');
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

  private fail(reason: Fault, details: string): void {
    this.abandon();
    this.exchange.fail(reason, details);
  }

  /** The response is complete: the stream is the pool's again. */
  private release(): void {
    this.isResponseEnded = true;
    this.stopTryIdle();
    this.resumeResponse();
    if (this.isRequestEnded) this.stream = null;
  }

  /** Gives up whatever is under way; the exchange is answered by somebody else. */
  abandon(): void {
    if (this.state === DONE) return;
    this.dropAttempt();
    this.finish();
  }

  /** The exchange is over. */
  finish(): void {
    if (this.state === DONE) return;
    this.dropAttempt();
    this.state = DONE;
    this.stopTimers();
    this.releaseHost();
    this.replay = null;
    if (this.holdsRetry) this.breakers?.releaseRetry();
    if (this.holdsRequest) this.breakers?.releaseRequest();
    this.holdsRetry = this.holdsRequest = false;
  }

  private releaseHost(): void {
    this.host?.onRequestEnd();
    this.host = null;
  }

  private stopTryIdle(): void {
    this.tryIdle?.stop();
    this.tryIdle = null;
  }

  private stopTimers(): void {
    this.stopResponseTimers();
    this.durationTimer?.stop();
    this.durationTimer = null;
  }

  /** Those that wait for a response; what an upgrade carries then may take as long as the stream may. */
  private stopResponseTimers(): void {
    this.stopTryIdle();
    this.timeout?.stop();
    this.tryTimeout?.stop();
    this.timeout = this.tryTimeout = null;
  }
}

// Of failures after the head was handed over: those that are the endpoint's doing, not the codec's judgement.
function isEndedByPeer(reason: Fault): boolean {
  return (
    reason === fault.upstream_reset ||
    reason === fault.upstream_refused ||
    reason === fault.upstream_closed ||
    reason === fault.reused_connection_closed
  );
}

function exchangeHasNoBody(exchange: Exchange): boolean {
  return exchange.requestEnded && exchange.bytesReceived === 0;
}

function onTimeout(request: RouterRequest): void {
  request.onTimeoutOver();
}

function onTryTimeout(request: RouterRequest): void {
  request.onTryTimeoutOver();
}

function onMaxDuration(request: RouterRequest): void {
  request.onMaxDurationOver();
}

function onBackOff(request: RouterRequest): void {
  request.onBackOffOver();
}
