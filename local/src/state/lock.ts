// One `weft up` per state folder: a lock file with the holder's pid and start time, so that a lock left by kill -9 is recognised.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { codeOf, WeftError } from '@weft/lib/error';
import { startMark } from './process-identity.ts';

interface LockContent {
  readonly pid: number;
  readonly started: string;
}

/** A held lock. */
export interface Lock {
  /** Whether it was taken over from a holder that died without releasing it; its children may still be ending. */
  readonly wasStale: boolean;
  release(): void;
}

/** Takes the lock, or throws WEFT0802 naming the process that holds it. */
export function acquireLock(path: string): Lock {
  const mine = JSON.stringify({ pid: process.pid, started: startMark(process.pid) ?? '' } satisfies LockContent);
  let wasStale = false;
  for (let attempt = 0; attempt < 10; attempt++) {
    if (placeLock(path, mine)) return { wasStale, release: () => releaseLock(path, mine) };
    const text = readText(path);
    if (text === null) continue;
    const holder = parseLock(text);
    if (holder !== null && startMark(holder.pid) === holder.started) throw alreadyRunning(holder.pid, path);
    wasStale = true;
    removeStale(path, text);
  }
  throw new WeftError(
    'WEFT0802',
    `the lock ${path} changes hands all the time; try again, or remove it when no weft up runs`,
  );
}

/** The process that holds the lock, or null when nobody does. */
export function lockHolder(path: string): number | null {
  const text = readText(path);
  const holder = text === null ? null : parseLock(text);
  return holder !== null && startMark(holder.pid) === holder.started ? holder.pid : null;
}

/** The file appears with its content or not at all: a half-written lock would look stale. */
function placeLock(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, content, { mode: 0o600 });
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Moves the file away first and looks again: between reading and removing another process may have taken the lock. */
function removeStale(path: string, staleText: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (readText(aside) !== staleText) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process holds it by now.
    }
  }
  rmSync(aside, { force: true });
}

function releaseLock(path: string, mine: string): void {
  if (readText(path) === mine) rmSync(path, { force: true });
}

function alreadyRunning(pid: number, path: string): WeftError {
  return new WeftError(
    'WEFT0802',
    `a mesh is already running here (weft up, pid ${pid}); stop it first (kill ${pid}), or set WEFT_HOME to another folder than the one of ${path}`,
  );
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function parseLock(text: string): LockContent | null {
  try {
    const { pid, started } = JSON.parse(text);
    return Number.isInteger(pid) && pid > 0 && typeof started === 'string' ? { pid, started } : null;
  } catch {
    return null;
  }
}
