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
  readonly stats: Stats;
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
  const isNamed = extensions.some((extension) => entry.name.endsWith(extension));
  if (entry.isFile() && !isNamed) return;
  try {
    // A link is followed to see what it points to, as mounted config maps are links; links to folders are not, as they may loop.
    const stats = await stat(child);
    if (stats.isFile() && isNamed) walk.files.push({ relative: shown, path: child, stats });
    if (stats.isDirectory() && !entry.isSymbolicLink() && depth < walk.depthLimit)
      await visit(walk, child, shown, depth + 1);
  } catch (thrown) {
    // Gone between listing and looking: the next event tells.
    if (codeOf(thrown) !== 'ENOENT') walk.problem = messageOf(thrown);
  }
}
