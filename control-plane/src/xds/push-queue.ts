// Who is to be told of a change: each proxy at most once, however often things change meanwhile, a few per turn of the event loop.

/** Proxies served before other work gets its turn. */
const perTurn = 8;

export class PushQueue<T> {
  private readonly waiting: Set<T> = new Set();
  private readonly serve: (item: T) => void;
  private isScheduled = false;

  constructor(serve: (item: T) => void) {
    this.serve = serve;
  }

  add(item: T): void {
    this.waiting.add(item);
    this.schedule();
  }

  remove(item: T): void {
    this.waiting.delete(item);
  }

  get size(): number {
    return this.waiting.size;
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.size === 0) return;
    this.isScheduled = true;
    setImmediate(() => this.turn());
  }

  private turn(): void {
    this.isScheduled = false;
    let left = perTurn;
    for (const item of this.waiting) {
      if (left-- === 0) break;
      this.waiting.delete(item);
      this.serve(item);
    }
    this.schedule();
  }
}
