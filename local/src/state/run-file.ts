// run.json: how other commands and programs find the running mesh. Written whole or not at all, removed when the mesh stops.
import { readFileSync, rmSync } from 'node:fs';
import { codeOf, WeftError } from '@weft/lib/error';
import type { StatePaths } from './folder.ts';
import { lockHolder } from './lock.ts';
import { writePrivate } from './private-file.ts';

/** One proxy of the mesh. */
export interface RunningWorkload {
  readonly name: string;
  readonly namespace: string;
  /** URL of the proxy's admin interface; empty for a process without a proxy. */
  readonly admin: string;
  /** Path of the process's log. */
  readonly log: string;
}

/** The content of run.json. */
export interface RunFile {
  readonly ingress: string;
  readonly api: string;
  readonly tokenFile: string;
  readonly pid: number;
  readonly workloads: readonly RunningWorkload[];
  /** Gateway ports that are served on another number than their own, apart from the ingress port; left out when there are none. */
  readonly ports?: Readonly<Record<string, number>>;
}

export function writeRunFile(path: string, content: RunFile): void {
  writePrivate(path, `${JSON.stringify(content, null, 2)}\n`);
}

export function removeRunFile(path: string): void {
  rmSync(path, { force: true });
}

/** The running mesh of a state folder, or WEFT0801 when none runs there. */
export function readRunFile(paths: StatePaths): RunFile {
  let text: string;
  try {
    text = readFileSync(paths.runFile, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'EACCES') throw notYours(paths, error);
    throw new WeftError('WEFT0801', `no mesh is running (looked in ${paths.root}); start one with weft up DIR`, {
      cause: error,
    });
  }
  const content = parseRunFile(text, paths.runFile);
  // After kill -9 the file stays; the lock tells whether its writer lives.
  if (lockHolder(paths.lock) === null) {
    throw new WeftError(
      'WEFT0801',
      `no mesh is running: the one in ${paths.root} ended without cleaning up; start it again with weft up DIR`,
    );
  }
  return content;
}

function notYours({ runFile }: StatePaths, cause: unknown): WeftError {
  return new WeftError('WEFT0807', `${runFile} cannot be read; run as the user who started the mesh`, { cause });
}

function parseRunFile(text: string, path: string): RunFile {
  try {
    const content = JSON.parse(text);
    const hasStrings = [content.ingress, content.api, content.tokenFile].every((value) => typeof value === 'string');
    if (hasStrings && Number.isInteger(content.pid) && Array.isArray(content.workloads)) return content;
  } catch {
    // Reported below: a file of ours that is no JSON was changed by someone else.
  }
  throw new WeftError('WEFT0811', `${path} is damaged; stop the mesh, remove the file and start again`);
}
