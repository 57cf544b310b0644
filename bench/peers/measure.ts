// One measurement: starts a proxy afresh, probes it, warms it up, loads it, reads what it used, ends it.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../test/kit/ports.ts';
import type { CaseName, Role, Task } from './bench-case.ts';
import type { Certificates } from './certificate.ts';
import { Child } from './child.ts';
import { type LoadResult, runLoad } from './load.ts';
import type { Peer } from './peer/peer.ts';
import { probe, probeRefusal } from './probe.ts';
import { busySecondsOf, cpuTimeOf, peakMemoryOf } from './process-tree.ts';

/** What stays the same for a whole run. */
export interface Stage {
  readonly folder: string;
  readonly certificates: Certificates;
  readonly backendPort: number;
  readonly backendPid: number;
  readonly proxyCore: number;
  readonly loadCore: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Requests per second; 0 for as many as are answered. */
  readonly rate: number;
  readonly paths: number;
  /** Each request on a connection of its own. */
  readonly close: boolean;
  /** How long to wait at most, before each measurement, until nothing else uses the two cores. */
  readonly waitIdleSeconds: number;
}

/** One row of one round. */
export interface Measurement extends LoadResult {
  /** Microseconds of CPU per request, user and system, of all processes of the proxy. */
  readonly cpuUs: number;
  readonly userUs: number;
  readonly peakMiB: number;
  /** Share of its core that the proxy used. */
  readonly coreShare: number;
  /** Share of the proxy's core that programs outside the run took. */
  readonly othersShare: number;
  /** Time from start until the first port accepted. */
  readonly startMs: number;
  readonly remarks: readonly string[];
}

function makeTask(stage: Stage, name: CaseName, role: Role, listenPort: number, upstreamPort: number): Task {
  const folder = mkdtempSync(join(stage.folder, `${name}-${role}-`));
  return { name, role, listenPort, upstreamPort, folder, ...stage.certificates };
}

async function makeTasks(stage: Stage, name: CaseName): Promise<Task[]> {
  const [first = 0, second = 0] = await freePorts(2);
  if (name !== 'mtls') return [makeTask(stage, name, 'single', first, stage.backendPort)];
  return [makeTask(stage, name, 'client', first, second), makeTask(stage, name, 'server', second, stage.backendPort)];
}

// A machine that others use gives numbers that mean nothing.
async function waitUntilIdle(stage: Stage): Promise<void> {
  const deadline = performance.now() + stage.waitIdleSeconds * 1000;
  const cores = [stage.proxyCore, stage.loadCore];
  while (performance.now() < deadline) {
    const before = cores.map(busySecondsOf);
    await delay(500);
    if (cores.every((core, i) => busySecondsOf(core) - (before[i] ?? 0) < 0.05)) return;
  }
}

/** Measures a proxy. Throws with its last words when it does not do the work. */
export async function measurePeer(stage: Stage, peer: Peer, name: CaseName): Promise<Measurement> {
  await waitUntilIdle(stage);
  const tasks = await makeTasks(stage, name);
  const children: Child[] = [];
  try {
    const started = performance.now();
    // The last one first: nobody connects to a port where nobody listens yet.
    for (const task of tasks.toReversed()) {
      const child = new Child(stage.proxyCore, peer.prepare(task), join(task.folder, 'output.log'), peer.environment);
      children.push(child);
      await child.listening(task.listenPort, 20_000);
    }
    const startMs = performance.now() - started;
    const remarks = await probeAll(tasks, children);
    const [front] = tasks;
    if (front === undefined) throw new Error('no task');
    return {
      ...(await measureLoad(
        stage,
        front,
        front.listenPort,
        false,
        children.map(({ pid }) => pid),
      )),
      startMs,
      remarks,
    };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

async function probeAll(tasks: readonly Task[], children: readonly Child[]): Promise<string[]> {
  const [front] = tasks;
  const server = tasks.find(({ role }) => role === 'server');
  try {
    if (server !== undefined) await probeRefusal(server);
    return front === undefined ? [] : await probe(front);
  } catch (cause) {
    const words = children.map((child) => child.lastWords()).join('\n');
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}; its log ends: ${words}`, { cause });
  }
}

/** Measures the same load without a proxy: the most that the load core can do. */
export async function measureDirect(stage: Stage, name: CaseName): Promise<Measurement> {
  await waitUntilIdle(stage);
  const task = makeTask(stage, name, 'single', stage.backendPort, stage.backendPort);
  const result = await measureLoad(stage, task, stage.backendPort, true, [stage.backendPid]);
  return { ...result, startMs: 0, remarks: ['CPU is that of the backend'] };
}

async function measureLoad(
  stage: Stage,
  task: Task,
  port: number,
  direct: boolean,
  pids: readonly number[],
): Promise<Omit<Measurement, 'startMs' | 'remarks'>> {
  const { proxyCore, loadCore, seconds, warmupSeconds, rate, paths, close } = stage;
  const plan = { core: loadCore, rate, paths, close };
  if (warmupSeconds > 0) await runLoad(task, port, direct, { ...plan, seconds: warmupSeconds });
  // What the warm-up left to do does not count.
  await delay(100);
  const busyBefore = busySecondsOf(proxyCore);
  const before = cpuTimeOf(pids);
  const started = performance.now();
  const load = await runLoad(task, port, direct, { ...plan, seconds });
  const elapsed = (performance.now() - started) / 1000;
  const after = cpuTimeOf(pids);
  const busy = busySecondsOf(proxyCore) - busyBefore;
  const user = after.user - before.user;
  const used = user + after.system - before.system;
  return {
    ...load,
    cpuUs: (used * 1e6) / load.requests,
    userUs: (user * 1e6) / load.requests,
    peakMiB: peakMemoryOf(pids),
    coreShare: direct ? Number.NaN : used / elapsed,
    othersShare: direct ? Number.NaN : Math.max(0, busy - used) / elapsed,
  };
}
