// Finds the files of resources below a directory.

import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf } from '@weft/lib/error';

/** One file found; paths sort as they are shown. */
export interface FoundFile {
  /** Relative to the directory, with forward slashes. */
  readonly relative: string;
  readonly path: string;
  /** Null where there is no telling. */
  readonly stats: Stats | null;
  /** Why it cannot be read, or null. */
  readonly problem: string | null;
}

/** What a walk found. `problem` says why it is incomplete; `isMissing` that there is no directory at all; `isTooLarge` that there are too many files. */
export interface Scan {
  readonly files: readonly FoundFile[];
  /** Every directory on the way, for watching. */
  readonly directories: readonly string[];
  readonly problem: string | null;
  readonly isMissing: boolean;
  readonly isTooLarge: boolean;
}

/** More files than that are a mistake, such as a home directory. */
export const maxFiles = 10_000;
const maxDepth = 32;

const extensions = ['.yaml', '.yml', '.json'];

/** Lists the directory, with `isRecursive` also those below it. Hidden files and folders and node_modules are left out; so are editors' temporary files. */
export async function scanDirectory(root: string, isRecursive: boolean): Promise<Scan> {
  const walk: Walk = {
    files: [],
    directories: [],
    problem: null,
    isTooLarge: false,
    entries: 0,
    depthLimit: isRecursive ? maxDepth : 0,
  };
  try {
    if (!(await stat(root)).isDirectory())
      return { files: [], directories: [], problem: `${root} is no directory`, isMissing: true, isTooLarge: false };
    await visit(walk, root, '', 0);
  } catch (thrown) {
    const isMissing = codeOf(thrown) === 'ENOENT';
    const problem = isMissing ? `${root} does not exist` : messageOf(thrown);
    return { files: [], directories: [], problem, isMissing, isTooLarge: false };
  }
  walk.files.sort((a, b) => (a.relative < b.relative ? -1 : 1));
  const { files, directories, problem, isTooLarge } = walk;
  return { files, directories, problem, isMissing: false, isTooLarge };
}

interface Walk {
  readonly files: FoundFile[];
  readonly directories: string[];
  problem: string | null;
  isTooLarge: boolean;
  entries: number;
  readonly depthLimit: number;
}

async function visit(walk: Walk, path: string, relative: string, depth: number): Promise<void> {
  walk.directories.push(path);
  const entries = await readdir(path, { withFileTypes: true });
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    if (++walk.entries > maxFiles * 10 || walk.files.length >= maxFiles) {
      walk.isTooLarge = true;
      walk.problem = `there are more than ${maxFiles} files of resources`;
      return;
    }
    await visitEntry(walk, path, relative, depth, entry);
  }
}

async function visitEntry(walk: Walk, path: string, relative: string, depth: number, entry: Dirent): Promise<void> {
  const child = join(path, entry.name);
  const shown = relative === '' ? entry.name : `${relative}/${entry.name}`;
  if (entry.isDirectory() && depth < walk.depthLimit) await visitFolder(walk, child, shown, depth + 1);
  if (!extensions.some((extension) => entry.name.endsWith(extension))) return;
  const found = await look(child, shown, entry.isSymbolicLink());
  if (found !== null) walk.files.push(found);
}

async function visitFolder(walk: Walk, path: string, relative: string, depth: number): Promise<void> {
  try {
    await visit(walk, path, relative, depth);
  } catch (thrown) {
    // Gone between listing and looking: the next event tells.
    if (codeOf(thrown) !== 'ENOENT') walk.problem = messageOf(thrown);
  }
}

/** A link is followed to see what it points to, as mounted config maps are links. */
async function look(path: string, relative: string, isLink: boolean): Promise<FoundFile | null> {
  try {
    const stats = await stat(path);
    return { relative, path, stats, problem: notAFile(stats) };
  } catch (thrown) {
    const isGone = codeOf(thrown) === 'ENOENT';
    if (isGone && !isLink) return null;
    return { relative, path, stats: null, problem: isGone ? 'it links to what does not exist' : messageOf(thrown) };
  }
}

/** What it is instead of a file whose content stands still, or null: reading anything else may wait for ever, or never end. */
export function notAFile(stats: Stats): string | null {
  if (stats.isFile()) return null;
  if (stats.isDirectory()) return 'it is a folder, not a file';
  if (stats.isFIFO()) return 'it is a named pipe, not a file';
  return `it is a ${stats.isSocket() ? 'socket' : 'device'}, not a file`;
}
