// Circuit breakers: plain counters with limits, one set per cluster and priority. Over a limit the caller fails at once instead of queueing.

import type { Gauge, Scope } from '@weft/lib/metrics';

/** Envoy's defaults; `Infinity` never opens. */
export interface BreakerLimits {
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly maxRequests: number;
  /** A fixed number of concurrent retries, or null: then the budget decides. */
  readonly maxRetries: number | null;
  /** Share of the active and pending requests that may be retries. */
  readonly retryBudgetPercent: number;
  readonly retryBudgetMin: number;
  /** Whether the `remaining_*` gauges are kept. */
  readonly trackRemaining: boolean;
}

export const defaultLimits: BreakerLimits = {
  maxConnections: 1024,
  maxPending: 1024,
  maxRequests: 1024,
  maxRetries: null,
  retryBudgetPercent: 20,
  retryBudgetMin: 3,
  trackRemaining: false,
};

/** One limit: how many there are, how many there may be, and what says so. */
class Limit {
  active = 0;
  readonly max: number;
  private readonly open: Gauge;
  private readonly remaining: Gauge | null;

  constructor(max: number, open: Gauge, remaining: Gauge | null) {
    this.max = max;
    this.open = open;
    this.remaining = remaining;
    this.show(max);
  }

  take(max: number): boolean {
    if (this.active >= max) {
      this.open.value = 1;
      return false;
    }
    this.active++;
    this.show(max);
    return true;
  }

  give(max: number): void {
    if (this.active > 0) this.active--;
    this.show(max);
  }

  show(max: number): void {
    this.open.value = this.active >= max ? 1 : 0;
    if (this.remaining !== null) this.remaining.value = Math.max(0, max - this.active);
  }
}

/** Counters of one priority of a cluster. Every `try…` that returned true is given back by its `release…`; on false the caller counts the overflow. */
export class Breakers {
  readonly limits: BreakerLimits;
  private readonly connections: Limit;
  private readonly pending: Limit;
  private readonly requests: Limit;
  private readonly retries: Limit;

  constructor(limits: BreakerLimits, scope: Scope, priority: 'default' | 'high' = 'default') {
    this.limits = limits;
    const gauge = (name: string): Gauge => scope.gauge(`circuit_breakers.${priority}.${name}`);
    const remaining = (name: string): Gauge | null => (limits.trackRemaining ? gauge(`remaining_${name}`) : null);
    this.connections = new Limit(limits.maxConnections, gauge('cx_open'), remaining('cx'));
    this.pending = new Limit(limits.maxPending, gauge('rq_pending_open'), remaining('pending'));
    this.requests = new Limit(limits.maxRequests, gauge('rq_open'), remaining('rq'));
    this.retries = new Limit(this.maxRetries(), gauge('rq_retry_open'), remaining('retries'));
  }

  get activeConnections(): number {
    return this.connections.active;
  }

  get activeRequests(): number {
    return this.requests.active;
  }

  get activePending(): number {
    return this.pending.active;
  }

  get activeRetries(): number {
    return this.retries.active;
  }

  tryConnection(): boolean {
    return this.connections.take(this.connections.max);
  }

  releaseConnection(): void {
    this.connections.give(this.connections.max);
  }

  tryPending(): boolean {
    return this.pending.take(this.pending.max);
  }

  releasePending(): void {
    this.pending.give(this.pending.max);
  }

  tryRequest(): boolean {
    return this.requests.take(this.requests.max);
  }

  releaseRequest(): void {
    this.requests.give(this.requests.max);
  }

  tryRetry(): boolean {
    return this.retries.take(this.maxRetries());
  }

  releaseRetry(): void {
    this.retries.give(this.maxRetries());
  }

  /** How many retries may run now; a budget moves with the load. */
  maxRetries(): number {
    const { maxRetries, retryBudgetPercent, retryBudgetMin } = this.limits;
    if (maxRetries !== null) return maxRetries;
    const load = this.requests.active + this.pending.active;
    return Math.max(retryBudgetMin, Math.floor((load * retryBudgetPercent) / 100));
  }
}
