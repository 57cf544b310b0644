// Files that configuration names. Where there are workers, the main thread keeps what each file held when it was read: a worker that
// replaces a dead one gets the configuration that holds, and must not fail over a file that has gone since or become something else.

import { readFileSync, statSync } from 'node:fs';

/** What files held when they were last read, by path. */
export type FileContents = ReadonlyMap<string, Uint8Array>;

// For the whole thread, like the file system that it stands in for.
let kept: Map<string, Uint8Array> | null = null;
let given: FileContents = new Map();
let isStarting = false;

/** Files that are remembered, the ones read last, and what they hold together: a control plane may name others for ever. */
const keptCountMax = 1000;
const keptBytesMax = 64 * 1024 * 1024;

/** From now on this thread remembers what it reads; `keptFiles` hands it out. */
export function keepFiles(): void {
  kept ??= new Map();
}

export function keptFiles(): FileContents {
  return kept ?? new Map();
}

/** What `read` makes of files counts as read if it comes to anything: else what they held before is what holds. */
export function readOnTrial<T>(read: () => T | null): T | null {
  const before = kept;
  if (before !== null) kept = new Map(before);
  const result = read();
  if (result === null) kept = before;
  return result;
}

/** Until `endStart` this thread takes files from here, then only those that it cannot read. */
export function startFrom(contents: FileContents): void {
  given = contents;
  isStarting = true;
}

export function endStart(): void {
  isStarting = false;
}

/** Throws what the file system says, or a `FileTooLargeError`. Config time only: it is synchronous. */
export function readConfigFile(path: string, maxBytes: number): Buffer {
  const known = given.get(path);
  if (isStarting && known !== undefined) return Buffer.from(known);
  try {
    const { size } = statSync(path);
    if (size > maxBytes) throw new FileTooLargeError(size);
    const bytes = readFileSync(path);
    if (kept !== null) keep(kept, path, bytes);
    return bytes;
  } catch (error) {
    if (known === undefined) throw error;
    return Buffer.from(known);
  }
}

// Inserted again: the order of a Map is the order of the last read.
function keep(files: Map<string, Uint8Array>, path: string, bytes: Uint8Array): void {
  files.delete(path);
  files.set(path, bytes);
  let total = 0;
  for (const { length } of files.values()) total += length;
  for (const [oldest, { length }] of files) {
    if (files.size <= keptCountMax && total <= keptBytesMax) return;
    files.delete(oldest);
    total -= length;
  }
}

/** Nothing of such a file was read. */
export class FileTooLargeError extends Error {
  readonly size: number;

  constructor(size: number) {
    super(`it has ${size} bytes`);
    this.size = size;
  }
}
