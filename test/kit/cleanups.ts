// What a test's context does for its end, for those that have no context: hooks of a suite, scripts.

export class Cleanups {
  private readonly ends: (() => unknown)[] = [];

  after(end: () => unknown): void {
    this.ends.push(end);
  }

  /** Runs them, the last first. */
  async run(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
  }
}
