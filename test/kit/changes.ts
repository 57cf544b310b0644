// Waiting for a state that somebody else changes, looked at again with each change.

export class Changes {
  private waiters: (() => void)[] = [];

  /** Something has changed. */
  tell(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }

  /** What `look` finds, as soon as it is not null. */
  async find<T>(look: () => T | null): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== null) return found;
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }
}
