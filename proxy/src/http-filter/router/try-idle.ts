// How long one attempt may go without a byte in either direction (Envoy: RetryPolicy.per_try_idle_timeout).

import type { Clock, Timer } from '@weft/lib/clock';

/** Who is told that the attempt has been idle for too long. */
export interface TryIdleOwner {
  onTryIdle(): void;
}

/** One timer per attempt: bytes only note the time, and the timer looks when it is due. */
export class TryIdle {
  private readonly owner: TryIdleOwner;
  private readonly clock: Clock;
  private readonly limitMs: number;
  private activeMs: number;
  private timer: Timer | null;

  constructor(owner: TryIdleOwner, clock: Clock, limitMs: number) {
    this.owner = owner;
    this.clock = clock;
    this.limitMs = limitMs;
    this.activeMs = clock.now();
    this.timer = clock.start(limitMs, onDue, this as TryIdle);
  }

  /** Something was sent or received. */
  touch(): void {
    this.activeMs = this.clock.now();
  }

  stop(): void {
    this.timer?.stop();
    this.timer = null;
  }

  onDue(): void {
    const leftMs = this.activeMs + this.limitMs - this.clock.now();
    if (leftMs > 0) {
      this.timer = this.clock.start(leftMs, onDue, this as TryIdle);
      return;
    }
    this.timer = null;
    this.owner.onTryIdle();
  }
}

function onDue(idle: TryIdle): void {
  idle.onDue();
}
