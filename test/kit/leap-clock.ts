// A clock that runs with real time and can leap ahead, so that a running proxy's long time-outs need not be waited for.

import { type Clock, PausedClock, type Timer, type TimerCallback } from '@weft/lib/clock';

const stepMs = 10;
const secondMs = 1000;

export class LeapClock implements Clock {
  private readonly inner = new PausedClock();
  private lastMs = performance.now();

  constructor() {
    // Does not keep the process alive; a proxy that stops at the end of a test still waits by it.
    setInterval(() => this.follow(), stepMs).unref();
  }

  private follow(): void {
    const nowMs = performance.now();
    this.inner.advance(nowMs - this.lastMs);
    this.lastMs = nowMs;
  }

  now(): number {
    return this.inner.now();
  }

  wallMs(): number {
    return this.inner.wallMs();
  }

  start<T>(delayMs: number, callback: TimerCallback<T>, argument: T): Timer {
    return this.inner.start(delayMs, callback, argument);
  }

  /** Lets that much time pass; everything due on the way happens, and what it writes leaves before the next second. */
  async leap(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= secondMs) {
      this.inner.advance(Math.min(left, secondMs));
      // A turn to write, one to read.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
