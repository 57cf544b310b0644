// Envoy's `CircuitBreakers` thresholds. Without a word about retries a budget holds: 20 per cent of the requests, at least three.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import { type BreakerLimits, defaultLimits } from './breakers.ts';

type CircuitBreakers = envoy.config.cluster.v3.CircuitBreakers;
type Thresholds = envoy.config.cluster.v3.CircuitBreakers.Thresholds;

/** Limits of the two routing priorities. */
export interface BreakerConfig {
  readonly normal: BreakerLimits;
  readonly high: BreakerLimits;
}

/** As Envoy: the first thresholds of a priority count. */
export function compileBreakers(config: CircuitBreakers | undefined, sink: IssueSink): BreakerConfig {
  let normal: BreakerLimits | null = null;
  let high: BreakerLimits | null = null;
  (config?.thresholds ?? []).forEach((thresholds, i) => {
    const limits = compileLimits(thresholds, sinkAt(sink, `thresholds[${i}]`));
    if (thresholds.priority === 'HIGH') high ??= limits;
    else normal ??= limits;
  });
  return { normal: normal ?? defaultLimits, high: high ?? defaultLimits };
}

function compileLimits(thresholds: Thresholds, sink: IssueSink): BreakerLimits {
  const budget = thresholds.retryBudget;
  const percent = budget?.budgetPercent?.value ?? defaultLimits.retryBudgetPercent;
  if (percent < 0 || percent > 100) {
    reportError(
      sinkAt(sink, 'retry_budget.budget_percent'),
      'WEFT0357',
      `${percent} is no percentage; give a number from 0 to 100`,
    );
  }
  return {
    maxConnections: thresholds.maxConnections ?? defaultLimits.maxConnections,
    maxPending: thresholds.maxPendingRequests ?? defaultLimits.maxPending,
    maxRequests: thresholds.maxRequests ?? defaultLimits.maxRequests,
    // As Envoy: a budget wins over a fixed number.
    maxRetries: budget === undefined ? (thresholds.maxRetries ?? null) : null,
    retryBudgetPercent: percent,
    retryBudgetMin: budget?.minRetryConcurrency ?? defaultLimits.retryBudgetMin,
    trackRemaining: thresholds.trackRemaining === true,
  };
}
