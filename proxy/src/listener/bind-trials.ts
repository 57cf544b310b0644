// Listeners that try to get their addresses, and who waits for what comes of it.

import type { Clock } from '@weft/lib/clock';

export class BindTrials<Listener> {
  private readonly underWay: Set<Listener> = new Set();
  private waiting: (() => void)[] = [];

  begin(listener: Listener): void {
    this.underWay.add(listener);
  }

  /** It has its address, could not get it, or wants it no more. */
  end(listener: Listener): void {
    if (!this.underWay.delete(listener) || this.underWay.size > 0) return;
    for (const done of this.waiting.splice(0)) done();
  }

  /** Calls back when none is under way, or after so long. */
  whenOver(clock: Clock, limitMs: number, done: () => void): void {
    if (this.underWay.size === 0) {
      done();
      return;
    }
    const over = (): void => {
      timer.stop();
      this.waiting = this.waiting.filter((one) => one !== over);
      done();
    };
    const timer = clock.start(limitMs, over, undefined);
    this.waiting.push(over);
  }
}
