// Earliest deadline first: hands out items in proportion to weights that may change between picks, in O(log n).

interface Entry<T> {
  readonly item: T;
  deadline: number;
  /** Breaks ties, so that equal weights are served in turn. */
  turn: number;
}

export class EdfScheduler<T> {
  private readonly heap: Entry<T>[] = [];
  private readonly weightOf: (item: T) => number;
  private turns = 0;

  /** `skip` picks are made at once, so that many proxies do not all begin with the same item. */
  constructor(items: readonly T[], weightOf: (item: T) => number, skip: number) {
    this.weightOf = weightOf;
    for (const item of items) this.push({ item, deadline: 1 / weightOf(item), turn: this.turns++ });
    for (let i = 0; i < skip; i++) this.pick();
  }

  /** The item whose turn it is; its next turn is set by its weight now. */
  pick(): T | null {
    const root = this.heap[0];
    if (root === undefined) return null;
    root.deadline += 1 / this.weightOf(root.item);
    root.turn = this.turns++;
    this.sinkRoot(root);
    return root.item;
  }

  private push(entry: Entry<T>): void {
    const { heap } = this;
    heap.push(entry);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry<T>)) break;
      heap[at] = heap[parent] as Entry<T>;
      at = parent;
    }
    heap[at] = entry;
  }

  private sinkRoot(entry: Entry<T>): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry<T>, heap[child] as Entry<T>)) child++;
      if (!isBefore(heap[child] as Entry<T>, entry)) break;
      heap[at] = heap[child] as Entry<T>;
      at = child;
    }
    heap[at] = entry;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.turn < b.turn);
}
