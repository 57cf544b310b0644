// Memory in which the breakers of all workers count together: a small block per cluster, known to every thread by the cluster's name.

import { type SharedCounts, sharedLimitCount } from '../cluster/breaker/breakers.ts';
import type { ClusterCells } from './messages.ts';

/** The blocks that one thread knows. */
export class SharedCells implements SharedCounts {
  readonly slot: number;
  /** Called when a cluster gets its block. */
  onMade: ((made: ClusterCells) => void) | null = null;
  private readonly workers: number;
  private readonly blocks: Map<string, Int32Array> = new Map();

  /** Slots count from 1; the main thread takes nothing and has slot 0. */
  constructor(workers: number, slot: number) {
    this.workers = workers;
    this.slot = slot;
  }

  cellsOf(cluster: string): Int32Array {
    const known = this.blocks.get(cluster);
    if (known !== undefined) return known;
    const bytes = sharedLimitCount * (this.workers + 1) * Int32Array.BYTES_PER_ELEMENT;
    const made = { cluster, cells: new Int32Array(new SharedArrayBuffer(bytes)) };
    this.put(made);
    this.onMade?.(made);
    return made.cells;
  }

  put({ cluster, cells }: ClusterCells): void {
    this.blocks.set(cluster, cells);
  }

  forget(cluster: string): void {
    this.blocks.delete(cluster);
  }

  all(): ClusterCells[] {
    return [...this.blocks].map(([cluster, cells]) => ({ cluster, cells }));
  }

  /** Gives back what a worker held when it died. */
  giveBack(slot: number): void {
    for (const cells of this.blocks.values()) {
      for (let limit = 0; limit < sharedLimitCount; limit++) {
        const total = limit * (this.workers + 1);
        const held = Atomics.exchange(cells, total + slot, 0);
        if (held > 0) Atomics.sub(cells, total, held);
      }
    }
  }
}
