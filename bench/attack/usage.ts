// What a process has used, read from /proc to the nanosecond and the page.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Milliseconds of CPU of all its threads so far. */
export function cpuMsOf(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // That thread has just ended.
    }
  }
  return nanoseconds / 1e6;
}

function kibOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}

export function residentKibOf(pid: number): number {
  return kibOf(pid, 'VmRSS');
}

/** The most it has had resident since `forgetPeak`. */
export function peakKibOf(pid: number): number {
  return kibOf(pid, 'VmHWM');
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
