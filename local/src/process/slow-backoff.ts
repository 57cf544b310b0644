// For tests: a back-off that has come to its longest pauses.
import { Backoff } from './backoff.ts';

/** Far longer than a test takes. */
const longMs = 3_600_000;

export class SlowBackoff extends Backoff {
  /** Resolves when a pause begins. */
  readonly asked: Promise<void>;
  resets = 0;
  private tell = (): void => {};

  constructor() {
    super();
    this.asked = new Promise((resolve) => {
      this.tell = resolve;
    });
  }

  override next(): number {
    // The pause itself begins in the same turn.
    setImmediate(this.tell);
    return longMs;
  }

  override reset(): void {
    this.resets++;
  }
}
