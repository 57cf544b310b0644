// How long to wait before starting something again: not at all after a stable time, else doubling with jitter.

const firstDelayMs = 200;
const maxDelayMs = 30_000;
/** Running this long counts as stable. */
const stableMs = 10_000;

/** Delays between restarts of one thing. */
export class Backoff {
  private failures = 0;
  private readonly random: () => number;

  constructor(random: () => number = Math.random) {
    this.random = random;
  }

  /** The delay after a run that lasted `ranMs`; none after a stable one: what was killed is missed at once. */
  next(ranMs: number): number {
    if (ranMs >= stableMs) {
      this.reset();
      return 0;
    }
    const delay = Math.min(maxDelayMs, firstDelayMs * 2 ** this.failures);
    this.failures++;
    // Between half and the whole: many that fell together do not come back together.
    return Math.round(delay * (0.5 + this.random() / 2));
  }

  /** What failed before does not count any more. */
  reset(): void {
    this.failures = 0;
  }
}

/** A pause that can be cut short. */
export class Pause {
  private wake: () => void = () => {};

  take(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(): void {
    this.wake();
  }
}

/** For a person: when it is tried again. */
export function retryText(retryMs: number): string {
  return retryMs === 0 ? 'starting it again' : `starting it again in ${(retryMs / 1000).toFixed(1)} s`;
}
