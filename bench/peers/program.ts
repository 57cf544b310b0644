// Finds the programs that a run needs: by an environment variable, else on PATH.

import { findProgram as findOnPath, isExecutable } from '@weft/lib/program-path';

/** The path of `name`: what `<NAME>_BIN` says, else the first on PATH; null when there is none. */
export function findProgram(name: string): string | null {
  const named = process.env[`${name.toUpperCase()}_BIN`];
  if (named !== undefined && named !== '') return isExecutable(named) ? named : null;
  // nginx and haproxy live where only root's PATH looks.
  return findOnPath(name, process.env.PATH);
}

/** As `findProgram`; throws a message that says how to get it. */
export function needProgram(name: string, debianPackage: string): string {
  const path = findProgram(name);
  if (path !== null) return path;
  throw new Error(
    `the program '${name}' is needed and was not found: install it (Debian package ${debianPackage}) or set ${name.toUpperCase()}_BIN`,
  );
}
