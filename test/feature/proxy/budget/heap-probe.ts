// Loaded into a proxy before it starts: tells its parent what its heap has allocated so far.

import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';

/** What the proxy answers to any message. */
export interface HeapReading {
  /** Bytes ever allocated on the heap. */
  readonly allocated: number;
  /** Bytes in the space of objects that survived two collections; only a full collection, with its pause, empties it. */
  readonly old: number;
}

process.on('message', () => {
  const old = getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')?.space_used_size ?? 0;
  // Not yet in the type definitions.
  const { total_allocated_bytes: allocated = 0 } = getHeapStatistics() as { total_allocated_bytes?: number };
  const reading: HeapReading = { allocated, old };
  process.send?.(reading);
});
