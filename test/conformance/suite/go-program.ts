// Suites that are Go programs: fetched and built once, kept in a cache folder.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { repositoryRoot } from '../../../scripts/source/tree.ts';

/** Why no Go program can run on this machine; null when it can. */
export function missingGo(): string | null {
  const { status } = spawnSync('go', ['version'], { stdio: 'ignore' });
  return status === 0 ? null : 'Go is not on $PATH, and the suite is a Go program; install Go to run it';
}

/** The path of a program, fetched and built unless it is there; null when that failed, after Go has said why. */
export function buildGo(module: string, version: string): string | null {
  const folder = join(repositoryRoot, 'node_modules/.cache/go', module.replaceAll('/', '+'), version);
  const program = join(folder, basename(module));
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  console.log(`building ${module}@${version}`);
  const env = { ...process.env, GOBIN: folder };
  const { status } = spawnSync('go', ['install', `${module}@${version}`], { stdio: 'inherit', env });
  return status === 0 ? program : null;
}
