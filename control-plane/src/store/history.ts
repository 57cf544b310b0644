// The last changes of a store, so that a client that was away can catch up. Bounded: who was away longer lists again.

import type { KindName } from '@weft/api/resource/kind';
import type { StoredResource } from './world.ts';

/** One change as a watcher sees it. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kind: KindName;
  /** For DELETED the last state, under the version of the deletion. */
  readonly resource: StoredResource;
  readonly revision: number;
}

/** Keeps the last `limit` events; older ones are forgotten. */
export class History {
  private readonly events: StoreEvent[] = [];
  private readonly limit: number;
  /** Revisions up to this one can no longer be told. */
  private floor: number;

  constructor(limit: number, floor: number) {
    this.limit = limit;
    this.floor = floor;
  }

  add(event: StoreEvent): void {
    this.events.push(event);
    if (this.events.length <= this.limit * 2) return;
    // Trimmed in bulk, so that adding stays cheap.
    const dropped = this.events.splice(0, this.events.length - this.limit);
    this.floor = dropped.at(-1)?.revision ?? this.floor;
  }

  /** The events after a revision, or null when some of them are forgotten. */
  since(revision: number): readonly StoreEvent[] | null {
    if (revision < this.floor) return null;
    return this.events.filter((event) => event.revision > revision);
  }
}
