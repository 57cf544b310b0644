// Finds the programs that a run needs: by an environment variable, else on PATH.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of `name`: what `<NAME>_BIN` says, else the first on PATH; null when there is none. */
export function findProgram(name: string): string | null {
  const named = process.env[`${name.toUpperCase()}_BIN`];
  if (named !== undefined && named !== '') return isExecutable(named) ? named : null;
  const folders = (process.env.PATH ?? '').split(delimiter);
  // nginx and haproxy live where only root's PATH looks.
  for (const folder of [...folders, '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    const path = join(folder, name);
    if (folder !== '' && isExecutable(path)) return path;
  }
  return null;
}

/** As `findProgram`; throws a message that says how to get it. */
export function needProgram(name: string, debianPackage: string): string {
  const path = findProgram(name);
  if (path !== null) return path;
  throw new Error(
    `the program '${name}' is needed and was not found: install it (Debian package ${debianPackage}) or set ${name.toUpperCase()}_BIN`,
  );
}
