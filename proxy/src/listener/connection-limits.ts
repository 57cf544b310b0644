// How many connections there may be: to one listener, and to all of them. Both hold over all workers, as Envoy's do. What is beyond is
// accepted and closed at once: left in the backlog it would keep those out who come when there is room again.

import { Gauge } from '@weft/lib/metrics';
import type { ConnectionMaxima } from '../bootstrap/connection-maxima.ts';
import { type Limit, OwnLimit, SharedLimit } from '../cluster/breaker/breaker-limit.ts';
import { placeOf, type SharedCounts } from '../cluster/breaker/breakers.ts';

/** Nobody looks at these. */
const unseen = { open: new Gauge(), remaining: null };

/** One limit with its count. */
interface Counted {
  readonly limit: Limit;
  readonly max: number;
}

/** What a connection counts against. Each `take` that returned null is given back by `give`. */
export class ListenerLimit {
  private readonly own: Counted | null;
  private readonly all: Counted | null;

  constructor(own: Counted | null, all: Counted | null) {
    this.own = own;
    this.all = all;
  }

  /** Counts one more; otherwise which limit forbids it. */
  take(): 'own' | 'all' | null {
    const { own, all } = this;
    if (own !== null && !own.limit.take(own.max)) return 'own';
    if (all === null || all.limit.take(all.max)) return null;
    own?.limit.give(own.max);
    return 'all';
  }

  give(): void {
    this.own?.limit.give(this.own.max);
    this.all?.limit.give(this.all.max);
  }
}

/** The limits of one proxy. Versions of a listener share a count: connections of the one before are still there. */
export class ConnectionLimits {
  private readonly maxima: ConnectionMaxima;
  private readonly shared: SharedCounts | null;
  private readonly all: Counted | null;
  private readonly byListener: Map<string, Counted> = new Map();

  constructor(maxima: ConnectionMaxima, shared: SharedCounts | null) {
    this.maxima = maxima;
    this.shared = shared;
    this.all = maxima.all === undefined ? null : this.count('all listeners', maxima.all);
  }

  /** `ignoresAll` is the field `ignore_global_conn_limit`; null where nothing limits the listener. */
  of(listener: string, ignoresAll: boolean): ListenerLimit | null {
    const own = this.ownOf(listener);
    const all = ignoresAll ? null : this.all;
    return own === null && all === null ? null : new ListenerLimit(own, all);
  }

  private ownOf(listener: string): Counted | null {
    const known = this.byListener.get(listener);
    if (known !== undefined) return known;
    const max = this.maxima.ofListener(listener);
    if (max === undefined) return null;
    const made = this.count(`listener ${listener}`, max);
    this.byListener.set(listener, made);
    return made;
  }

  private count(what: string, max: number): Counted {
    if (this.shared === null) return { limit: new OwnLimit(unseen), max };
    // No cluster has a NUL in its name.
    const cells = this.shared.cellsOf(`\0${what}`);
    const place = placeOf({ cells, slot: this.shared.slot, firstLimit: 0 }, 0);
    return { limit: new SharedLimit(place, unseen), max };
  }
}
