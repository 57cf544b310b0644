// Programs that outlived a run: when its supervisor and a program's watcher are killed at once, nobody is left to end the program.
// Each one's process group is noted in the state folder, so that the next start ends it.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '@weft/lib/disk/make-folder';
import { bootOf, hasLiveMember, startMark } from '../state/process-identity.ts';

const fileName = 'program.json';
const graceMs = 3000;
const pollMs = 20;

interface Note {
  readonly pid: number;
  readonly started: string;
}

/** Notes the leader of a program's group in the folder of its workload. */
export function noteProgram(folder: string, pid: number): void {
  try {
    makeFolder(folder, 0o700);
    writeFileSync(join(folder, fileName), JSON.stringify({ pid, started: startMark(pid) ?? '' }), { mode: 0o600 });
  } catch {
    // No room: the program runs all the same, and its watcher ends it.
  }
}

/** Ends what an earlier run noted in the folders of its workloads and left running. Not while that run goes on. */
export async function endLeftPrograms(workloadsFolder: string): Promise<void> {
  const files = readdirSync(workloadsFolder).map((name) => join(workloadsFolder, name, fileName));
  await Promise.all(files.map(endLeftProgram));
}

async function endLeftProgram(file: string): Promise<void> {
  const note = readNote(file);
  if (note === null) return;
  for (let waitedMs = 0; isLeft(note) && waitedMs <= 2 * graceMs; waitedMs += pollMs) {
    if (waitedMs === 0) signalGroup(note.pid, 'SIGTERM');
    if (waitedMs >= graceMs) signalGroup(note.pid, 'SIGKILL');
    await sleep(pollMs);
  }
  rmSync(file, { force: true });
}

/** The id of a group is not given to another process while the group has members, even when its leader is gone. */
function isLeft({ pid, started }: Note): boolean {
  const mark = startMark(pid);
  if (mark !== null) return mark === started;
  const boot = bootOf(started);
  return boot !== null && boot === bootOf(startMark(process.pid) ?? '') && hasLiveMember(pid);
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Gone in between.
  }
}

function readNote(file: string): Note | null {
  try {
    const { pid, started } = JSON.parse(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 1 && typeof started === 'string' ? { pid, started } : null;
  } catch {
    return null;
  }
}
