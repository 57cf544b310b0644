// What a listener counts of its connections, with Envoy's names.

import type { Counter, Gauge, Scope } from '@weft/lib/metrics';

export class ListenerStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly overflow: Counter;
  readonly globalOverflow: Counter;
  readonly noChain: Counter;
  readonly inspectionTimeout: Counter;

  constructor(scope: Scope) {
    this.cxTotal = scope.counter('downstream_cx_total');
    this.cxActive = scope.gauge('downstream_cx_active');
    this.overflow = scope.counter('downstream_cx_overflow');
    this.globalOverflow = scope.counter('downstream_global_cx_overflow');
    this.noChain = scope.counter('no_filter_chain_match');
    this.inspectionTimeout = scope.counter('downstream_pre_cx_timeout');
  }
}
