// The processes of this machine, by `ps`, for tests that kill some and that nothing may be left of.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One running process; zombies are left out. */
export interface RunningProcess {
  readonly pid: number;
  readonly command: string;
}

/** Every process that can be seen. */
export function runningProcesses(): RunningProcess[] {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,args='], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  }).split('\n');
  return lines.flatMap((line) => {
    const match = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match === null || match[2]?.startsWith('Z')) return [];
    return { pid: Number(match[1]), command: match[3] ?? '' };
  });
}

/** The environment of a process as one text; empty where the system does not tell (only Linux does). */
export function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}
