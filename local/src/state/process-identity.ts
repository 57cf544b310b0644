// Tells a process from a later one with the same number: its id and the moment it started.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process of that id exists, also when it belongs to somebody else. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** A text that differs between two processes that had the same id, or null when there is no such process. */
export function startMark(pid: number): string | null {
  if (!isAlive(pid)) return null;
  return process.platform === 'linux' ? linuxStartMark(pid) : portableStartMark(pid);
}

/** The boot of the machine that a mark names; null where it names none. */
export function bootOf(mark: string): string | null {
  return process.platform === 'linux' && mark.includes('/') ? mark.slice(0, mark.indexOf('/')) : null;
}

/**
 * Whether a process group that exists has a member that is more than a zombie: in a container whose first process reaps late, dead
 * members stay visible for seconds. Only Linux tells; elsewhere the answer is yes.
 */
export function hasLiveMember(group: number): boolean {
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc').some((name) => {
    if (!/^[0-9]+$/.test(name)) return false;
    const fields = statFields(name);
    return fields !== null && fields[0] !== 'Z' && fields[2] === String(group);
  });
}

function linuxStartMark(pid: number): string | null {
  const fields = statFields(String(pid));
  if (fields === null || fields[0] === 'Z' || fields[19] === undefined) return null;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}/${fields[19]}`;
}

/** The fields of /proc/PID/stat from the third on (0 state, 2 process group, 19 start time), or null when there is no such process. */
function statFields(pid: string): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name before them may hold spaces and brackets: fields are counted from its last bracket.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function portableStartMark(pid: number): string | null {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
}
