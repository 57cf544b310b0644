// Makes folders, with an end: Node's own recursive mkdir tries for ever where a file system denies a folder whose parent exists
// with ENOENT, as /proc does.

import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes a folder and those above it that are missing, each with the mode. Throws what the system says. */
export function makeFolder(path: string, mode: number): void {
  const full = resolve(path);
  const parent = dirname(full);
  if (!existsSync(parent)) makeFolder(parent, mode);
  makeOne(full, mode);
}

function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
