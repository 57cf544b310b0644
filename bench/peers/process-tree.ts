// What the processes of a proxy use, read from /proc: CPU time and peak memory of a process and all its descendants.

import { readdirSync, readFileSync } from 'node:fs';

// USER_HZ, the unit of /proc/PID/stat; 100 on every Linux that Node runs on.
const ticksPerSecond = 100;

interface ProcessStat {
  readonly parent: number;
  /** Ticks in user and kernel mode, with those of children that have ended. */
  readonly user: number;
  readonly system: number;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended.
    return '';
  }
}

// `pid (name) state ppid …`: the name may hold anything, so fields are counted from the last parenthesis.
function parseStat(text: string): ProcessStat | null {
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  if (fields.length < 16) return null;
  const [utime = 0, stime = 0, childUtime = 0, childStime = 0] = fields.slice(11, 15);
  return { parent: fields[1] ?? 0, user: utime + childUtime, system: stime + childStime };
}

function readAll(): Map<number, ProcessStat> {
  const all = new Map<number, ProcessStat>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const stat = Number.isInteger(pid) ? parseStat(readText(`/proc/${entry}/stat`)) : null;
    if (stat !== null) all.set(pid, stat);
  }
  return all;
}

/** The roots and everything below them. */
function treeOf(roots: readonly number[], all: ReadonlyMap<number, ProcessStat>): Set<number> {
  const tree = new Set(roots);
  for (let size = 0; size !== tree.size; ) {
    size = tree.size;
    for (const [pid, { parent }] of all) if (tree.has(parent)) tree.add(pid);
  }
  return tree;
}

/** CPU seconds used so far. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

/** CPU time of the processes and their descendants. */
export function cpuTimeOf(roots: readonly number[]): CpuTime {
  const all = readAll();
  let user = 0;
  let system = 0;
  for (const pid of treeOf(roots, all)) {
    user += all.get(pid)?.user ?? 0;
    system += all.get(pid)?.system ?? 0;
  }
  return { user: user / ticksPerSecond, system: system / ticksPerSecond };
}

/** Sum of the processes' own peaks (`VmHWM`) in MiB; pages they share count once for each. */
export function peakMemoryOf(roots: readonly number[]): number {
  let kib = 0;
  for (const pid of treeOf(roots, readAll())) {
    kib += Number(/^VmHWM:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0);
  }
  return kib / 1024;
}

/** Seconds that a core has been busy, whoever used it. */
export function busySecondsOf(core: number): number {
  const line = readText('/proc/stat')
    .split('\n')
    .find((text) => text.startsWith(`cpu${core} `));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}
