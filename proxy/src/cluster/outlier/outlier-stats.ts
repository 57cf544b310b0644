// Statistics of passive ejection, by Envoy's names (`cluster.web.outlier_detection.ejections_active` ...).

import type { Counter, Gauge, Scope } from '@weft/lib/metrics';

/** Why a host is an outlier, as Envoy spells it in its statistics. */
export type OutlierReason =
  | 'consecutive_5xx'
  | 'consecutive_gateway_failure'
  | 'consecutive_local_origin_failure'
  | 'success_rate'
  | 'local_origin_success_rate'
  | 'failure_percentage'
  | 'local_origin_failure_percentage';

export class OutlierStats {
  readonly active: Gauge;
  readonly enforcedTotal: Counter;
  readonly overflow: Counter;
  private readonly scope: Scope;

  constructor(scope: Scope) {
    this.scope = scope;
    this.active = scope.gauge('outlier_detection.ejections_active');
    this.enforcedTotal = scope.counter('outlier_detection.ejections_enforced_total');
    this.overflow = scope.counter('outlier_detection.ejections_overflow');
  }

  detected(reason: OutlierReason): void {
    this.scope.counter(`outlier_detection.ejections_detected_${reason}`).inc();
  }

  enforced(reason: OutlierReason): void {
    this.enforcedTotal.inc();
    this.scope.counter(`outlier_detection.ejections_enforced_${reason}`).inc();
  }
}
