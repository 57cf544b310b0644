// The router, last of the HTTP filters: finds route and cluster, decides when to try again and when to give up, forwards the response.
// One per exchange. Before it: the exchange and its filters. Below it: the attempt, then cluster and upstream.

import type { Timer } from '@weft/lib/clock';
import { httpStatusFromGrpc, isGrpcType, parseGrpcStatus } from '@weft/lib/grpc/header';
import type { Headers } from '@weft/lib/header';
import type { Breakers } from '../../cluster/breaker/breakers.ts';
import { type Fault, fault } from '../../fault/fault.ts';
import { acceptsUpgrade } from '../../protocol/upgrade.ts';
import { grpcTimeoutMs, grpcTimeoutText } from '../../route/action/grpc-timeout.ts';
import {
  asksForItself,
  requestedAttemptMs,
  requestedRetryPolicy,
  requestedTimeoutMs,
  wantsNoContentOnTimeout,
} from '../../route/requested-retry.ts';
import type { Route } from '../../route/route.ts';
import type { Exchange } from '../../stream/exchange.ts';
import { Attempt, BACKING_OFF, DONE, SENDING, WAITING } from './attempt.ts';
import { RequestReplay } from './request-replay.ts';
import { backOffMs, isIdempotent, isRetriableFault, isRetriableResponse } from './retry.ts';
import { answerByRoute, handToListener, mayUpgrade } from './route-reply.ts';

export class RouterRequest extends Attempt {
  private breakers: Breakers | null = null;
  private timeoutMs = 0;
  /** In place of that of the fault; 0 leaves it. */
  private timeoutStatus = 0;
  /** The route's limit for the stream by what the caller asked for, as `Route.durationMs`. */
  private routeDurationMs = -1;
  private retriesLeft = 0;
  private holdsRetry = false;
  private holdsRequest = false;
  private reusedRetryDone = false;
  private timeout: Timer | null = null;
  private durationTimer: Timer | null = null;
  private responseStarted = false;

  /** The request passed every filter. */
  start(endStream: boolean): void {
    const { exchange, config } = this;
    const route = exchange.resolveRoute();
    if (route === null) {
      exchange.fail(fault.no_route, 'route_not_found');
      return;
    }
    this.route = route;
    this.isRequestEnded = endStream;
    if (answerByRoute(route, exchange)) return;
    const name = route.pickCluster(exchange);
    const cluster = name === null ? null : config.clusters.get(name);
    if (cluster === null) {
      exchange.fail(fault.no_cluster, 'cluster_not_found', route.clusterNotFoundStatus);
      return;
    }
    this.cluster = cluster;
    exchange.cluster = cluster;
    if (exchange.upgrade !== null && !mayUpgrade(route, exchange, config)) return;
    if (exchange.upgrade === 'CONNECT' && cluster.internalListener !== null) {
      handToListener(cluster.internalListener, exchange, config);
      return;
    }
    const drop = cluster.drawDrop();
    if (drop !== null) {
      exchange.fail(drop);
      return;
    }
    this.prepareRequest(route);
    exchange.downstream.wantBody();
    this.startTimers();
    this.breakers = route.isHighPriority ? cluster.highBreakers : cluster.breakers;
    if (!this.breakers.tryRequest()) {
      cluster.stats.upstreamRqActiveOverflow.inc();
      // In Envoy an attempt counts from when it is wanted.
      exchange.attempts = 1;
      exchange.fail(fault.breaker_open, 'max_requests');
      return;
    }
    this.holdsRequest = true;
    this.attempt();
  }

  private prepareRequest(route: Route): void {
    const { exchange } = this;
    this.retryPolicy = route.retry;
    this.timeoutMs = route.timeoutOf(exchange.requestHeaders);
    this.routeDurationMs = route.durationMs(exchange.requestHeaders);
    if (asksForItself(exchange.requestHeaders)) this.heedRequest(exchange.requestHeaders);
    const { retryPolicy } = this;
    this.tellTimeout(route, 0);
    if (route.changesRequestHeaders) route.mutateRequestHeaders(exchange.requestHeaders, exchange);
    route.rewrite(exchange, !this.config.suppressEnvoyHeaders);
    this.hash = route.hash(exchange);
    if (retryPolicy !== null) {
      this.retriesLeft = retryPolicy.numRetries;
      this.replay = new RequestReplay(this.bufferLimitBytes());
    }
  }

  private heedRequest(headers: Headers): void {
    this.retryPolicy = requestedRetryPolicy(this.retryPolicy, headers);
    this.timeoutMs = requestedTimeoutMs(this.timeoutMs, headers);
    this.requestedAttemptMs = requestedAttemptMs(headers);
    if (wantsNoContentOnTimeout(headers)) this.timeoutStatus = 204;
  }

  // The endpoint learns how long anyone waits for it, at each attempt for what is left.
  private tellTimeout(route: Route, passedMs: number): void {
    const { requestHeaders } = this.exchange;
    const leftMs = leftOf(this.timeoutMs, passedMs);
    const tryMs = this.retryPolicy?.perTryTimeoutMs || leftMs;
    const expectedMs = shorterMs(tryMs, leftMs);
    if (expectedMs > 0 && !this.config.suppressEnvoyHeaders) {
      requestHeaders.set('x-envoy-expected-rq-timeout-ms', String(expectedMs));
    }
    if (!route.tellsGrpcTimeout || !isGrpcType(requestHeaders.get('content-type'))) return;
    tellGrpcTimeout(
      requestHeaders,
      shorterMs(expectedMs, Math.ceil(this.exchange.durationLeftMs(this.routeDurationMs))),
    );
  }

  // ---- response

  onResponseHead(status: number, headers: Headers, endStream: boolean): void {
    const { exchange, route } = this;
    if (this.state !== SENDING || route === null) return;
    this.tryIdle?.touch();
    if (isFalseAcceptance(status, exchange)) {
      this.fail(fault.upgrade_failed, 'upgrade_not_switched');
      return;
    }
    this.host?.onRequestResult(outcomeOf(status, headers, exchange));
    const policy = this.retryPolicy;
    const isUnwanted = policy !== null && isRetriableResponse(policy, status, headers, exchange);
    if (isUnwanted && this.mayRetryNow()) {
      // It was all there is: the connection is as good as before.
      if (endStream) this.release();
      this.retry();
      return;
    }
    this.responseStarted = true;
    if (this.holdsRetry && !isUnwanted) this.cluster?.stats.upstreamRqRetrySuccess.inc();
    this.releaseRetry();
    exchange.responseStartMs = this.clock.now() - exchange.startMs;
    exchange.details = 'via_upstream';
    this.stopTryTimeout();
    if (exchange.upgrade !== null && acceptsUpgrade(exchange.upgrade, status)) this.stopResponseTimers();
    if (endStream) this.release();
    this.markResponse(route, headers);
    exchange.status = exchange.outcomeStatus = status;
    if (route.changesResponseHeaders) route.mutateResponseHeaders(headers, exchange);
    exchange.onResponseHead(status, headers, endStream);
  }

  private markResponse(route: Route, headers: Headers): void {
    const { exchange } = this;
    // As Envoy: from the end of the request on, retries and all; a response before that has no such time.
    if (!this.config.suppressEnvoyHeaders && exchange.requestEndMs >= 0) {
      const serviceMs = Math.round(exchange.responseStartMs - exchange.requestEndMs);
      headers.set('x-envoy-upstream-service-time', String(serviceMs));
    }
    if (route.virtualHost.includesAttemptCountInResponse)
      headers.set('x-envoy-attempt-count', String(exchange.attempts));
    exchange.giveCookies(headers);
  }

  onUpstreamFailed(reason: Fault, details: string): void {
    if (this.state !== SENDING && this.state !== WAITING) return;
    this.stream = null;
    this.pool = null;
    this.stopAttemptTimers();
    if (this.state === SENDING) this.host?.onRequestFailed(reason);
    else this.host?.onRequestUnsent(reason);
    if (!this.responseStarted && this.retriesFault(reason, this.state === SENDING)) return;
    this.fail(reason, details);
  }

  // ---- retries

  private retriesFault(reason: Fault, wasSent: boolean): boolean {
    const { exchange } = this;
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
    return this.retriesByPolicy(reason, wasSent);
  }

  private retriesByPolicy(reason: Fault, wasSent: boolean): boolean {
    const policy = this.retryPolicy;
    if (policy === null || !isRetriableFault(policy, reason, this.exchange, wasSent) || !this.mayRetryNow())
      return false;
    this.retry();
    return true;
  }

  protected mayReplay(): boolean {
    return this.retryPolicy !== null && this.retriesLeft > 0 && !this.responseStarted && this.exchange.upgrade === null;
  }

  private mayRetryNow(): boolean {
    const { cluster } = this;
    if (cluster === null || this.retriesLeft <= 0 || this.exchange.responseStarted || !this.canReplayBody()) {
      if (this.retriesLeft <= 0 && (this.retryPolicy?.numRetries ?? 0) > 0) {
        this.addFlag('URX');
        cluster?.stats.upstreamRqRetryLimitExceeded.inc();
      }
      return false;
    }
    if (this.holdsRetry) return true;
    if (this.breakers?.tryRetry() !== true) {
      this.addFlag('UO');
      cluster.stats.upstreamRqRetryOverflow.inc();
      return false;
    }
    this.holdsRetry = true;
    return true;
  }

  // Beside what the fault filter may have said.
  private addFlag(flag: string): void {
    const { exchange } = this;
    exchange.extraFlags = exchange.extraFlags === '' ? flag : `${exchange.extraFlags},${flag}`;
  }

  private retry(): void {
    const { cluster, retryPolicy } = this;
    if (cluster === null || retryPolicy === null) return;
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
    const used = retryPolicy.numRetries - this.retriesLeft;
    const waitMs = backOffMs(retryPolicy, used, this.config.random());
    this.tryTimeout = this.clock.start(waitMs, onBackOff, this as RouterRequest);
  }

  onBackOffOver(): void {
    this.tryTimeout = null;
    if (this.state === BACKING_OFF) this.attemptAgain();
  }

  private attemptAgain(): void {
    const { exchange, route } = this;
    // The time runs from the end of the request.
    const passedMs = exchange.requestEndMs < 0 ? 0 : this.clock.now() - exchange.startMs - exchange.requestEndMs;
    if (route !== null) this.tellTimeout(route, passedMs);
    this.attempt();
  }

  // ---- time-outs

  private startTimers(): void {
    const durationMs = this.exchange.durationLeftMs(this.routeDurationMs);
    if (durationMs >= 0) this.durationTimer = this.clock.start(durationMs, onMaxDuration, this as RouterRequest);
    if (this.awaitsAnswer) this.onRequestSent();
  }

  // As Envoy: the time runs from the moment the whole request is there.
  protected onRequestSent(): void {
    const { timeoutMs, exchange } = this;
    if (this.state === DONE) return;
    if (!this.responseStarted) this.startTryTimeout();
    // What has become a tunnel may take as long as the stream may, and so may CONNECT.
    const isLimited = exchange.upgrade === null || (exchange.upgrade !== 'CONNECT' && !this.responseStarted);
    if (timeoutMs > 0 && this.timeout === null && isLimited) {
      this.timeout = this.clock.start(timeoutMs, onTimeout, this as RouterRequest);
    }
  }

  onTimeoutOver(): void {
    this.timeout = null;
    this.cluster?.stats.upstreamRqTimeout.inc();
    if (this.state === SENDING) this.host?.onRequestTimeout(this.responseStarted);
    this.fail(fault.request_timeout, 'response_timeout', this.timeoutStatus);
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
    if (this.responseStarted || !this.retriesByPolicy(reason, wasSent)) this.fail(reason, details, this.timeoutStatus);
  }

  onAttemptTooLong(): void {
    const { exchange } = this;
    const reason = fault.max_upstream_duration;
    this.attemptTimer = null;
    this.cluster?.stats.upstreamRqMaxDurationReached.inc();
    if (!this.responseStarted && this.retriesByPolicy(reason, true)) return;
    // As Envoy: a client that still sends is told that it took too long.
    this.fail(reason, 'upstream_max_stream_duration_reached', exchange.requestEnded ? 0 : 408);
  }

  onMaxDurationOver(): void {
    this.durationTimer = null;
    this.fail(fault.max_duration, 'max_duration_timeout');
  }

  // ---- endings

  protected fail(reason: Fault, details: string, status = 0): void {
    this.abandon();
    this.exchange.fail(reason, details, status);
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
    this.releaseRetry();
    if (this.holdsRequest) this.breakers?.releaseRequest();
    this.holdsRequest = false;
  }

  // As Envoy: what has brought a response is no retry any more, however long the response takes.
  private releaseRetry(): void {
    if (this.holdsRetry) this.breakers?.releaseRetry();
    this.holdsRetry = false;
  }

  private stopTimers(): void {
    this.stopResponseTimers();
    this.durationTimer?.stop();
    this.durationTimer = null;
  }

  /** Those that wait for a response; what an upgrade carries then may take as long as the stream may. */
  private stopResponseTimers(): void {
    this.stopTryIdle();
    this.stopTryTimeout();
    this.timeout?.stop();
    this.timeout = null;
  }
}

// An endpoint that goes on in HTTP/1 answers 200, by which a client over HTTP/2 would take the upgrade for accepted (RFC 8441 §4).
function isFalseAcceptance(status: number, { upgrade, protocol }: Exchange): boolean {
  return upgrade !== null && upgrade !== 'CONNECT' && protocol === 'HTTP/2' && status >= 200 && status < 300;
}

// What a host answered to a gRPC call stands in the gRPC status, where the head has it (a trailers-only response).
function outcomeOf(status: number, headers: Headers, exchange: Exchange): number {
  const text = headers.get('grpc-status');
  if (text === undefined || !isGrpcType(exchange.requestHeaders.get('content-type'))) return status;
  return httpStatusFromGrpc(parseGrpcStatus(text));
}

/** What is left of a limit; one that does not hold stays as it is. */
function leftOf(limitMs: number, passedMs: number): number {
  return limitMs <= 0 ? limitMs : Math.max(1, Math.round(limitMs - passedMs));
}

/** The shorter of two limits, neither of which holds unless it is above 0. */
function shorterMs(one: number, other: number): number {
  if (one <= 0) return other;
  return other <= 0 ? one : Math.min(one, other);
}

// A caller that wants less gets less.
function tellGrpcTimeout(headers: Headers, ms: number): void {
  const asked = headers.get('grpc-timeout');
  const askedMs = asked === undefined ? -1 : grpcTimeoutMs(asked);
  if (ms > 0 && (askedMs <= 0 || askedMs > ms)) headers.set('grpc-timeout', grpcTimeoutText(ms));
}

function onTimeout(request: RouterRequest): void {
  request.onTimeoutOver();
}

function onMaxDuration(request: RouterRequest): void {
  request.onMaxDurationOver();
}

function onBackOff(request: RouterRequest): void {
  request.onBackOffOver();
}
