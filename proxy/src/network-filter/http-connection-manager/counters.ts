// Statistics of one connection manager, by Envoy's names under `http.<stat_prefix>.`.

import type { Counter, Gauge, Histogram, Scope } from '@weft/lib/metrics';
import { type Fault, fault } from '../../fault/fault.ts';
import type { Exchange } from '../../stream/exchange.ts';
import type { Http2Stats } from '../../upstream/http2-stats.ts';
import type { CodecStats, UnderscoreStats } from './codec-stats.ts';

export class ManagerCounters {
  readonly scope: Scope;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly rqTotal: Counter;
  readonly rqHttp1Total: Counter;
  readonly rqHttp2Total: Counter;
  readonly rqActive: Gauge;
  readonly rqCompleted: Counter;
  readonly rqTime: Histogram;
  readonly rqReset: Counter;
  readonly protocolError: Counter;
  readonly idleTimeout: Counter;
  readonly streamIdleTimeout: Counter;
  readonly maxDurationReached: Counter;
  readonly maxRequestsReached: Counter;
  readonly noRoute: Counter;
  readonly noCluster: Counter;
  readonly prematureResets: Counter;
  readonly rqTimeout: Counter;
  readonly headersTimeout: Counter;
  readonly rqMaxDuration: Counter;
  readonly tooLarge: Counter;
  readonly pathRefused: Counter;
  readonly pathRedirected: Counter;
  readonly http2: Http2Stats;
  readonly http1Underscores: UnderscoreStats;
  readonly http2Underscores: UnderscoreStats;
  private readonly classes: readonly Counter[];

  constructor(scope: Scope, codecs: CodecStats) {
    this.scope = scope;
    this.http2 = codecs.http2;
    this.http1Underscores = codecs.http1Underscores;
    this.http2Underscores = codecs.http2Underscores;
    this.cxTotal = scope.counter('downstream_cx_total');
    this.cxActive = scope.gauge('downstream_cx_active');
    this.rqTotal = scope.counter('downstream_rq_total');
    this.rqHttp1Total = scope.counter('downstream_rq_http1_total');
    this.rqHttp2Total = scope.counter('downstream_rq_http2_total');
    this.rqActive = scope.gauge('downstream_rq_active');
    this.rqCompleted = scope.counter('downstream_rq_completed');
    this.rqTime = scope.histogram('downstream_rq_time');
    this.rqReset = scope.counter('downstream_rq_rx_reset');
    this.protocolError = scope.counter('downstream_cx_protocol_error');
    this.idleTimeout = scope.counter('downstream_cx_idle_timeout');
    this.streamIdleTimeout = scope.counter('downstream_rq_idle_timeout');
    this.maxDurationReached = scope.counter('downstream_cx_max_duration_reached');
    this.maxRequestsReached = scope.counter('downstream_cx_max_requests_reached');
    this.noRoute = scope.counter('no_route');
    this.noCluster = scope.counter('no_cluster');
    this.prematureResets = scope.counter('downstream_rq_too_many_premature_resets');
    this.rqTimeout = scope.counter('downstream_rq_timeout');
    this.headersTimeout = scope.counter('downstream_rq_header_timeout');
    this.rqMaxDuration = scope.counter('downstream_rq_max_duration_reached');
    this.tooLarge = scope.counter('downstream_rq_too_large');
    this.pathRefused = scope.counter('downstream_rq_failed_path_normalization');
    this.pathRedirected = scope.counter('downstream_rq_redirected_with_normalized_path');
    this.classes = [1, 2, 3, 4, 5].map((digit) => scope.counter(`downstream_rq_${digit}xx`));
  }

  onConnectionOpen(): void {
    this.cxTotal.value++;
    this.cxActive.value++;
  }

  onConnectionClose(): void {
    this.cxActive.value--;
  }

  onRequest(exchange: Exchange): void {
    this.rqTotal.value++;
    if (exchange.protocol === 'HTTP/2') this.rqHttp2Total.value++;
    else this.rqHttp1Total.value++;
    this.rqActive.value++;
  }

  private onFault(reason: Fault): void {
    if (reason.status === 0) this.rqReset.value++;
    else if (reason === fault.no_route) this.noRoute.value++;
    else if (reason === fault.no_cluster) this.noCluster.value++;
    else if (reason === fault.request_headers_timeout) this.headersTimeout.value++;
    else if (reason === fault.request_body_timeout) this.rqTimeout.value++;
    else if (reason === fault.max_duration) this.rqMaxDuration.value++;
    else if (reason === fault.request_body_too_large) this.tooLarge.value++;
  }

  onComplete(exchange: Exchange): void {
    const { status, cluster } = exchange;
    this.rqActive.value--;
    this.rqTime.record(exchange.endMs);
    if (exchange.fault !== null) this.onFault(exchange.fault);
    if (status >= 100 && status < 600) {
      this.rqCompleted.value++;
      (this.classes[Math.floor(status / 100) - 1] as Counter).value++;
    }
    if (cluster !== null && status !== 0) {
      cluster.stats.recordStatus(exchange.outcomeStatus || status);
      if (exchange.responseStartMs >= 0) cluster.stats.upstreamRqTime.record(exchange.endMs - exchange.upstreamStartMs);
    }
  }
}
