// A timer that goes by the calendar. `Clock.start` counts monotonic time, which stands still while the machine sleeps and knows
// nothing of a clock that is set; what hangs on a date looks at the calendar again and again instead.

import type { Clock, Timer, TimerCallback } from './clock.ts';

/** How late it may be after a sleep or a jump. */
const lookMs = 30_000;

/** When to fire, in Unix time. */
export interface WallMoment {
  readonly atMs: number;
  /**
   * Fires early when the calendar is set back to before this, as a certificate of that date is of no use then. A calendar that has
   * not come so far yet is no jump: a machine whose clock is behind must not be busy with that.
   */
  readonly notBeforeMs?: number;
}

/** Calls `callback(argument)` once, when the calendar has come to that moment: to the tick in quiet times, late after a jump. */
export function startWallTimer<T>(clock: Clock, moment: WallMoment, callback: TimerCallback<T>, argument: T): Timer {
  const timer = new WallTimer(clock, moment, callback, argument);
  timer.plan();
  return timer;
}

class WallTimer<T> implements Timer {
  private readonly clock: Clock;
  private readonly moment: WallMoment;
  private readonly callback: TimerCallback<T>;
  private readonly argument: T;
  private timer: Timer | null = null;
  private hasBegun = false;

  constructor(clock: Clock, moment: WallMoment, callback: TimerCallback<T>, argument: T) {
    this.clock = clock;
    this.moment = moment;
    this.callback = callback;
    this.argument = argument;
  }

  stop(): void {
    this.timer?.stop();
    this.timer = null;
  }

  look(): void {
    if (this.isDue()) this.callback(this.argument);
    else this.plan();
  }

  plan(): void {
    const nowMs = this.clock.wallMs();
    this.hasBegun ||= nowMs >= this.notBeforeMs;
    const delayMs = Math.max(0, Math.min(lookMs, this.moment.atMs - nowMs));
    this.timer = this.clock.start(delayMs, onLook<T>, this);
  }

  private isDue(): boolean {
    const nowMs = this.clock.wallMs();
    return nowMs >= this.moment.atMs || (this.hasBegun && nowMs < this.notBeforeMs);
  }

  private get notBeforeMs(): number {
    return this.moment.notBeforeMs ?? Number.NEGATIVE_INFINITY;
  }
}

function onLook<T>(timer: WallTimer<T>): void {
  timer.look();
}
