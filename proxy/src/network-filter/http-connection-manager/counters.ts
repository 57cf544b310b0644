// Statistics of one connection manager, by Envoy's names under `http.<stat_prefix>.`.

import type { Counter, Gauge, Histogram, Scope } from '@weft/lib/metrics';
import type { Exchange } from '../../stream/exchange.ts';

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
  private readonly classes: readonly Counter[];

  constructor(scope: Scope) {
    this.scope = scope;
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

  onComplete(exchange: Exchange): void {
    const { status, fault, cluster } = exchange;
    this.rqActive.value--;
    this.rqTime.record(exchange.endMs);
    if (fault !== null && fault.status === 0) this.rqReset.value++;
    if (fault !== null && fault.code === 'no_route') this.noRoute.value++;
    if (status >= 100 && status < 600) {
      this.rqCompleted.value++;
      (this.classes[Math.floor(status / 100) - 1] as Counter).value++;
    }
    if (cluster !== null && status !== 0) {
      cluster.stats.recordStatus(status);
      if (exchange.responseStartMs >= 0) cluster.stats.upstreamRqTime.record(exchange.endMs - exchange.upstreamStartMs);
    }
  }
}
