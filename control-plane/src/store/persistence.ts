// Where a store keeps its records: the seam between memory, disk and whatever comes later.

import type { KindName } from '@weft/api/resource/kind';
import type { StoredResource } from './world.ts';

export type Layer = StoredResource['layer'];

/** Names one record. */
export interface RecordKey {
  readonly layer: Layer;
  readonly kind: KindName;
  /** Empty for kinds without one. */
  readonly namespace: string;
  readonly name: string;
}

/** A record that is written, or removed where `resource` is null. */
export interface RecordChange {
  readonly key: RecordKey;
  readonly resource: StoredResource | null;
}

/** A record as it was kept. */
export interface KeptRecord {
  readonly kind: KindName;
  readonly resource: StoredResource;
}

/** Keeps records. A call that returned has made its changes as durable as the persistence promises. */
export interface Persistence {
  /** Everything that was kept, and the highest revision ever written. */
  load(): { readonly revision: number; readonly records: readonly KeptRecord[] };
  /** All changes or none, and the new revision with them. Throws when they cannot be kept. */
  write(revision: number, changes: readonly RecordChange[]): void;
  close(): void;
}

/** Keeps nothing beyond the process. */
export const memoryPersistence: Persistence = {
  load: () => ({ revision: 0, records: [] }),
  write: () => {},
  close: () => {},
};
