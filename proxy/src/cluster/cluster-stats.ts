// The statistics of one cluster, by Envoy's names, looked up once so that recording is a field update.

import type { Counter, Gauge, Histogram, Scope } from '@weft/lib/metrics';

/** Whoever opens connections and sends requests records here; a field is the name in camelCase. */
export class ClusterStats {
  readonly scope: Scope;
  readonly upstreamCxTotal: Counter;
  readonly upstreamCxHttp1Total: Counter;
  readonly upstreamCxHttp2Total: Counter;
  readonly upstreamCxConnectFail: Counter;
  readonly upstreamCxConnectTimeout: Counter;
  readonly upstreamCxConnectAttemptsExceeded: Counter;
  readonly upstreamCxOverflow: Counter;
  readonly upstreamCxIdleTimeout: Counter;
  readonly upstreamCxMaxRequests: Counter;
  readonly upstreamCxMaxDurationReached: Counter;
  readonly upstreamCxDestroy: Counter;
  readonly upstreamCxDestroyLocal: Counter;
  readonly upstreamCxDestroyRemote: Counter;
  readonly upstreamCxDestroyWithActiveRq: Counter;
  readonly upstreamCxNoneHealthy: Counter;
  readonly upstreamCxProtocolError: Counter;
  readonly upstreamCxRxBytesTotal: Counter;
  readonly upstreamCxTxBytesTotal: Counter;
  readonly upstreamRqTotal: Counter;
  readonly upstreamRqPendingTotal: Counter;
  readonly upstreamRqPendingOverflow: Counter;
  readonly upstreamRqActiveOverflow: Counter;
  readonly upstreamRqPendingFailureEject: Counter;
  readonly upstreamRqCancelled: Counter;
  readonly upstreamRqTimeout: Counter;
  readonly upstreamRqPerTryTimeout: Counter;
  readonly upstreamRqPerTryIdleTimeout: Counter;
  readonly upstreamRqMaxDurationReached: Counter;
  readonly upstreamRqRxReset: Counter;
  readonly upstreamRqTxReset: Counter;
  readonly upstreamRqRetry: Counter;
  readonly upstreamRqRetrySuccess: Counter;
  readonly upstreamRqRetryOverflow: Counter;
  readonly upstreamRqRetryLimitExceeded: Counter;
  readonly upstreamRqRetryBackoffExponential: Counter;
  readonly upstreamRqCompleted: Counter;
  readonly upstreamFlowControlPausedReadingTotal: Counter;
  readonly upstreamFlowControlResumedReadingTotal: Counter;
  readonly upstreamCxActive: Gauge;
  readonly upstreamRqActive: Gauge;
  readonly upstreamRqPendingActive: Gauge;
  readonly upstreamCxConnectMs: Histogram;
  readonly upstreamCxLengthMs: Histogram;
  readonly upstreamRqTime: Histogram;
  private readonly classes: readonly Counter[];
  private readonly statuses: (Counter | null)[];

  constructor(scope: Scope) {
    this.scope = scope;
    this.upstreamCxTotal = scope.counter('upstream_cx_total');
    this.upstreamCxHttp1Total = scope.counter('upstream_cx_http1_total');
    this.upstreamCxHttp2Total = scope.counter('upstream_cx_http2_total');
    this.upstreamCxConnectFail = scope.counter('upstream_cx_connect_fail');
    this.upstreamCxConnectTimeout = scope.counter('upstream_cx_connect_timeout');
    this.upstreamCxConnectAttemptsExceeded = scope.counter('upstream_cx_connect_attempts_exceeded');
    this.upstreamCxOverflow = scope.counter('upstream_cx_overflow');
    this.upstreamCxIdleTimeout = scope.counter('upstream_cx_idle_timeout');
    this.upstreamCxMaxRequests = scope.counter('upstream_cx_max_requests');
    this.upstreamCxMaxDurationReached = scope.counter('upstream_cx_max_duration_reached');
    this.upstreamCxDestroy = scope.counter('upstream_cx_destroy');
    this.upstreamCxDestroyLocal = scope.counter('upstream_cx_destroy_local');
    this.upstreamCxDestroyRemote = scope.counter('upstream_cx_destroy_remote');
    this.upstreamCxDestroyWithActiveRq = scope.counter('upstream_cx_destroy_with_active_rq');
    this.upstreamCxNoneHealthy = scope.counter('upstream_cx_none_healthy');
    this.upstreamCxProtocolError = scope.counter('upstream_cx_protocol_error');
    this.upstreamCxRxBytesTotal = scope.counter('upstream_cx_rx_bytes_total');
    this.upstreamCxTxBytesTotal = scope.counter('upstream_cx_tx_bytes_total');
    this.upstreamRqTotal = scope.counter('upstream_rq_total');
    this.upstreamRqPendingTotal = scope.counter('upstream_rq_pending_total');
    this.upstreamRqPendingOverflow = scope.counter('upstream_rq_pending_overflow');
    this.upstreamRqActiveOverflow = scope.counter('upstream_rq_active_overflow');
    this.upstreamRqPendingFailureEject = scope.counter('upstream_rq_pending_failure_eject');
    this.upstreamRqCancelled = scope.counter('upstream_rq_cancelled');
    this.upstreamRqTimeout = scope.counter('upstream_rq_timeout');
    this.upstreamRqPerTryTimeout = scope.counter('upstream_rq_per_try_timeout');
    this.upstreamRqPerTryIdleTimeout = scope.counter('upstream_rq_per_try_idle_timeout');
    this.upstreamRqMaxDurationReached = scope.counter('upstream_rq_max_duration_reached');
    this.upstreamRqRxReset = scope.counter('upstream_rq_rx_reset');
    this.upstreamRqTxReset = scope.counter('upstream_rq_tx_reset');
    this.upstreamRqRetry = scope.counter('upstream_rq_retry');
    this.upstreamRqRetrySuccess = scope.counter('upstream_rq_retry_success');
    this.upstreamRqRetryOverflow = scope.counter('upstream_rq_retry_overflow');
    this.upstreamRqRetryLimitExceeded = scope.counter('upstream_rq_retry_limit_exceeded');
    this.upstreamRqRetryBackoffExponential = scope.counter('upstream_rq_retry_backoff_exponential');
    this.upstreamRqCompleted = scope.counter('upstream_rq_completed');
    this.upstreamFlowControlPausedReadingTotal = scope.counter('upstream_flow_control_paused_reading_total');
    this.upstreamFlowControlResumedReadingTotal = scope.counter('upstream_flow_control_resumed_reading_total');
    this.upstreamCxActive = scope.gauge('upstream_cx_active');
    this.upstreamRqActive = scope.gauge('upstream_rq_active');
    this.upstreamRqPendingActive = scope.gauge('upstream_rq_pending_active');
    this.upstreamCxConnectMs = scope.histogram('upstream_cx_connect_ms');
    this.upstreamCxLengthMs = scope.histogram('upstream_cx_length_ms');
    this.upstreamRqTime = scope.histogram('upstream_rq_time');
    this.classes = [1, 2, 3, 4, 5].map((digit) => scope.counter(`upstream_rq_${digit}xx`));
    this.statuses = new Array<Counter | null>(600).fill(null);
  }

  /** Counts a finished request: `upstream_rq_completed`, `upstream_rq_2xx`, `upstream_rq_200`. */
  recordStatus(status: number): void {
    this.upstreamRqCompleted.value++;
    if (status < 100 || status > 599) return;
    (this.classes[Math.floor(status / 100) - 1] as Counter).value++;
    const known = this.statuses[status] ?? null;
    if (known !== null) {
      known.value++;
      return;
    }
    const made = this.scope.counter(`upstream_rq_${status}`);
    made.value++;
    this.statuses[status] = made;
  }
}
