// Files that configuration names. Where there are workers, the main thread keeps what each file held when it was read: a worker that
// replaces a dead one gets the configuration that holds, and must not fail over a file that has gone since.

import { readFileSync, statSync } from 'node:fs';

/** What files held when they were last read, by path. */
export type FileContents = ReadonlyMap<string, Uint8Array>;

// For the whole thread, like the file system that it stands in for.
let kept: Map<string, Uint8Array> | null = null;
let fallback: FileContents = new Map();

/** From now on this thread remembers what it reads; `keptFiles` hands it out. */
export function keepFiles(): void {
  kept ??= new Map();
}

export function keptFiles(): FileContents {
  return kept ?? new Map();
}

/** From now on this thread takes a file that it cannot read from here. */
export function fallBackOn(contents: FileContents): void {
  fallback = contents;
}

/** Throws what the file system says, or a `FileTooLargeError`. Config time only: it is synchronous. */
export function readConfigFile(path: string, maxBytes: number): Buffer {
  try {
    const { size } = statSync(path);
    if (size > maxBytes) throw new FileTooLargeError(size);
    const bytes = readFileSync(path);
    kept?.set(path, bytes);
    return bytes;
  } catch (error) {
    const known = fallback.get(path);
    if (known === undefined) throw error;
    return Buffer.from(known);
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
