// How long to wait before the next attempt: doubling, with full jitter, so that the proxies of a mesh do not come back all at once.

/** Grows with each failure until `reset`. */
export class BackOff {
  private readonly baseMs: number;
  private readonly maxMs: number;
  private readonly random: () => number;
  private failures = 0;

  constructor(baseMs: number, maxMs: number, random: () => number) {
    this.baseMs = baseMs;
    this.maxMs = maxMs;
    this.random = random;
  }

  /** The next delay: uniform between nothing and base · 2^n, at most the maximum. */
  nextMs(): number {
    const ceiling = Math.min(this.maxMs, this.baseMs * 2 ** Math.min(this.failures, 30));
    this.failures++;
    return this.random() * ceiling;
  }

  /** Something worked. */
  reset(): void {
    this.failures = 0;
  }
}
