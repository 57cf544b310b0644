// One limit of a circuit breaker: how many there are, how many there may be. Counted in a field, or in memory that all workers of
// the process share.

import type { Gauge } from '@weft/lib/metrics';

export interface Limit {
  readonly active: number;
  /** Counts one more unless that would be more than `max`. */
  take(max: number): boolean;
  /** Counts one more in any case. */
  takeBeyond(max: number): void;
  /** Counts one less. */
  give(max: number): void;
  /** Brings the gauges up to date. */
  show(max: number): void;
}

/** What says how a limit stands. */
export interface LimitGauges {
  readonly open: Gauge;
  /** Null unless `track_remaining` asks for it. */
  readonly remaining: Gauge | null;
}

/** The limit of a process with one worker. */
export class OwnLimit implements Limit {
  active = 0;
  private readonly open: Gauge;
  private readonly remaining: Gauge | null;

  constructor({ open, remaining }: LimitGauges) {
    this.open = open;
    this.remaining = remaining;
  }

  take(max: number): boolean {
    if (this.active >= max) {
      this.open.value = 1;
      return false;
    }
    this.takeBeyond(max);
    return true;
  }

  takeBeyond(max: number): void {
    this.active++;
    this.show(max);
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

/** Where a limit is counted that workers share: the total of all, and what this one holds of it. */
export interface SharedPlace {
  readonly cells: Int32Array;
  readonly total: number;
  readonly own: number;
}

/**
 * The limit of a process with several workers. What a worker holds is never less than its part of the total, so giving it back when
 * the worker dies leaves no permit behind that nobody holds.
 */
export class SharedLimit implements Limit {
  private readonly place: SharedPlace;
  private readonly gauges: LimitGauges;

  constructor(place: SharedPlace, gauges: LimitGauges) {
    this.place = place;
    this.gauges = gauges;
  }

  get active(): number {
    return Atomics.load(this.place.cells, this.place.total);
  }

  take(max: number): boolean {
    const { cells, total, own } = this.place;
    (cells[own] as number)++;
    for (let now = Atomics.load(cells, total); now < max; ) {
      const found = Atomics.compareExchange(cells, total, now, now + 1);
      if (found === now) return true;
      now = found;
    }
    (cells[own] as number)--;
    return false;
  }

  takeBeyond(_max: number): void {
    const { cells, total, own } = this.place;
    (cells[own] as number)++;
    Atomics.add(cells, total, 1);
  }

  give(_max: number): void {
    const { cells, total, own } = this.place;
    if ((cells[own] as number) <= 0) return;
    Atomics.sub(cells, total, 1);
    (cells[own] as number)--;
  }

  /** The main thread does this when somebody looks; workers have no reason to. */
  show(max: number): void {
    const { open, remaining } = this.gauges;
    const { active } = this;
    open.value = active >= max ? 1 : 0;
    if (remaining !== null) remaining.value = Math.max(0, max - active);
  }
}
