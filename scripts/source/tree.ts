// The source files of the repository, without what is generated, installed or test data.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSourceFile, type SourceFile } from './source-file.ts';

/** The repository's folder. */
export const repositoryRoot: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Folders that hold source of ours. */
export const sourceFolders = [
  'api',
  'lib',
  'proxy',
  'control-plane',
  'local',
  'cli',
  'test',
  'bench',
  'scripts',
  'examples',
] as const;

const skipped = new Set(['node_modules', 'generated', 'testdata', 'out']);

/** Paths (relative to the repository) of all files under a folder whose name ends so. */
export function listFiles(folder: string, ending: string): string[] {
  const found: string[] = [];
  const visit = (path: string) => {
    for (const entry of readFolder(path)) {
      if (entry.isDirectory() && !skipped.has(entry.name) && !entry.name.startsWith('.'))
        visit(`${path}/${entry.name}`);
      else if (entry.isFile() && entry.name.endsWith(ending)) found.push(`${path}/${entry.name}`);
    }
  };
  visit(folder);
  return found.sort();
}

/** Names of the folders directly in a folder that hold something. */
export function listFolders(folder: string): string[] {
  return readFolder(folder)
    .filter((entry) => entry.isDirectory() && !skipped.has(entry.name) && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .filter((name) => readFolder(`${folder}/${name}`).length > 0)
    .sort();
}

function readFolder(path: string) {
  try {
    return readdirSync(`${repositoryRoot}/${path}`, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Every TypeScript file, tests included. */
export function readSources(): SourceFile[] {
  return sourceFolders
    .flatMap((folder) => listFiles(folder, '.ts'))
    .map((path) => readSourceFile(repositoryRoot, path));
}

/** Tests, and by their names the files that only tests use. */
export function isTest(path: string): boolean {
  if (path.startsWith('test/') || path.startsWith('bench/')) return true;
  return /(?:\.test|-kit|-cases)\.ts$|\/(?:fake|test|sample)-[a-z0-9-]+\.ts$/.test(path);
}
