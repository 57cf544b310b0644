// Circuit breakers: plain counters with limits, one set per cluster and priority. Over a limit the caller fails at once instead of queueing.

import type { Gauge, Scope } from '@weft/lib/metrics';
import { type Limit, OwnLimit, SharedLimit, type SharedPlace } from './breaker-limit.ts';

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

/** Memory that all workers of a process share. */
export interface SharedCounts {
  /** Where this worker counts what it holds, from 1. */
  readonly slot: number;
  /** The cells of that cluster. */
  cellsOf(cluster: string): Int32Array;
  /** The cluster is gone; one of the same name later gets new ones. */
  forget(cluster: string): void;
}

/** Limits of a priority, priorities of a cluster: so many groups of cells there are per cluster. */
export const sharedLimitCount = 8;

/** Where the breakers of one priority count: null is in themselves. */
export interface BreakerCells {
  readonly cells: Int32Array;
  readonly slot: number;
  readonly firstLimit: number;
}

/** Counters of one priority of a cluster. Every `try...` that returned true is given back by its `release...`; on false the caller counts the overflow. */
export class Breakers {
  readonly limits: BreakerLimits;
  private readonly connections: Limit;
  private readonly pending: Limit;
  private readonly requests: Limit;
  private readonly retries: Limit;

  constructor(
    limits: BreakerLimits,
    scope: Scope,
    priority: 'default' | 'high' = 'default',
    shared: BreakerCells | null = null,
  ) {
    this.limits = limits;
    const gauge = (name: string): Gauge => scope.gauge(`circuit_breakers.${priority}.${name}`);
    const limit = (index: number, open: Gauge, left: string): Limit => {
      const gauges = { open, remaining: limits.trackRemaining ? gauge(`remaining_${left}`) : null };
      return shared === null ? new OwnLimit(gauges) : new SharedLimit(placeOf(shared, index), gauges);
    };
    this.connections = limit(0, gauge('cx_open'), 'cx');
    this.pending = limit(1, gauge('rq_pending_open'), 'pending');
    this.requests = limit(2, gauge('rq_open'), 'rq');
    this.retries = limit(3, gauge('rq_retry_open'), 'retries');
    this.show();
  }

  /** Brings the gauges up to date. */
  show(): void {
    const { limits } = this;
    this.connections.show(limits.maxConnections);
    this.pending.show(limits.maxPending);
    this.requests.show(limits.maxRequests);
    this.retries.show(this.maxRetries());
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
    return this.connections.take(this.limits.maxConnections);
  }

  /**
   * For a pool that has none, after `tryConnection` said no: as Envoy's it gets one beyond the limit, also where that is 0. Idle
   * connections to one host, or of one worker, must not starve another.
   */
  takeFirstConnection(): void {
    this.connections.takeBeyond(this.limits.maxConnections);
  }

  releaseConnection(): void {
    this.connections.give(this.limits.maxConnections);
  }

  tryPending(): boolean {
    return this.pending.take(this.limits.maxPending);
  }

  releasePending(): void {
    this.pending.give(this.limits.maxPending);
  }

  tryRequest(): boolean {
    return this.requests.take(this.limits.maxRequests);
  }

  releaseRequest(): void {
    this.requests.give(this.limits.maxRequests);
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

/** Where the limit of that index is counted. */
export function placeOf({ cells, slot, firstLimit }: BreakerCells, index: number): SharedPlace {
  const total = (firstLimit + index) * (cells.length / sharedLimitCount);
  return { cells, total, own: total + slot };
}
