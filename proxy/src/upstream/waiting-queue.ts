// Requests that wait for a connection of their host, in order, as many as the breaker for pending requests allows.

import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { type Fault, fault } from '../fault/fault.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamPool } from './upstream-stream.ts';

/** A start that waits. */
export interface Waiting {
  readonly head: UpstreamHead;
  readonly endStream: boolean;
  readonly events: UpstreamEvents;
}

export class WaitingQueue {
  private readonly cluster: Cluster;
  private readonly breakers: Breakers;
  private readonly queue: Waiting[] = [];

  constructor(cluster: Cluster, breakers: Breakers) {
    this.cluster = cluster;
    this.breakers = breakers;
  }

  get length(): number {
    return this.queue.length;
  }

  /** As many wait, here and at the other hosts, as may. */
  get isFull(): boolean {
    return this.breakers.activePending >= this.breakers.limits.maxPending;
  }

  /** Lets it wait; false when too many do, it has failed then. */
  push(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): boolean {
    const { stats } = this.cluster;
    if (!this.breakers.tryPending()) {
      stats.upstreamRqPendingOverflow.inc();
      events.onUpstreamFailed(fault.breaker_open, 'max_pending_requests');
      return false;
    }
    stats.upstreamRqPendingTotal.inc();
    stats.upstreamRqPendingActive.inc();
    this.queue.push({ head, endStream, events });
    return true;
  }

  /** The one that has waited longest. */
  shift(): Waiting | undefined {
    const next = this.queue.shift();
    if (next !== undefined) this.release();
    return next;
  }

  /** Forgets the start whose answer would go there; nothing when it waits no more. */
  cancel(events: UpstreamEvents): void {
    const at = this.queue.findIndex((waiting) => waiting.events === events);
    if (at < 0) return;
    this.queue.splice(at, 1);
    this.cluster.stats.upstreamRqCancelled.inc();
    this.release();
  }

  /** Another pool is to serve them. */
  moveTo(pool: UpstreamPool): void {
    for (let next = this.shift(); next !== undefined; next = this.shift()) {
      pool.start(next.head, next.endStream, next.events);
    }
  }

  /** As Envoy: when connecting fails everything that waits for this host fails, to be retried elsewhere. */
  rejectAll(reason: Fault, details: string): void {
    for (const { events } of this.queue.splice(0)) {
      this.release();
      this.cluster.stats.upstreamRqPendingFailureEject.inc();
      events.onUpstreamFailed(reason, details);
    }
  }

  /** No connection may be opened and none will become free: no one would ever wake them. */
  rejectStranded(): void {
    for (const { events } of this.queue.splice(0)) {
      this.release();
      events.onUpstreamFailed(fault.breaker_open, 'max_connections');
    }
  }

  private release(): void {
    this.breakers.releasePending();
    this.cluster.stats.upstreamRqPendingActive.dec();
  }
}
