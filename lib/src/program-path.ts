// Where a program lies.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs of an administrator are often outside a user's path. */
export const administratorFolders: readonly string[] = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first of that name in a list like $PATH, else in the administrator's folders; null when there is none. */
export function findProgram(name: string, path: string | undefined): string | null {
  const folders = (path ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders, ...administratorFolders].map((folder) => join(folder, name)).find(isExecutable) ?? null;
}
