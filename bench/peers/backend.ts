// Compiles the backend, which is in C so that its core is never the limit.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needProgram } from './program.ts';

/** Compiles it into `folder` and returns the path of the program; it takes a port. */
export function buildBackend(folder: string): string {
  const source = fileURLToPath(new URL('./backend/backend.c', import.meta.url));
  const program = join(folder, 'backend');
  const compiler = needProgram('cc', 'gcc');
  execFileSync(compiler, ['-O2', '-D_GNU_SOURCE', '-o', program, source], { stdio: 'inherit' });
  return program;
}
