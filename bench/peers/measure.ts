// One measurement: starts a proxy afresh, probes it, warms it up, loads it, reads what it used, ends it.

import { setTimeout as delay } from 'node:timers/promises';
import type { CaseName, Task } from './bench-case.ts';
import type { Certificates } from './certificate.ts';
import { type LoadResult, runLoad } from './load.ts';
import type { Peer } from './peer/peer.ts';
import { busySecondsOf, cpuTimeOf, peakMemoryOf } from './process-tree.ts';
import { makeTask, RunningPeer } from './running-peer.ts';

/** What stays the same for a whole run. */
export interface Stage {
  readonly folder: string;
  readonly certificates: Certificates;
  readonly backendPort: number;
  readonly backendPid: number;
  readonly proxyCores: readonly number[];
  readonly loadCore: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Requests per second; 0 for as many as are answered. */
  readonly rate: number;
  readonly paths: number;
  /** Each request on a connection of its own. */
  readonly close: boolean;
  /** Times as many connections as the case has otherwise. */
  readonly connectionFactor: number;
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

// A machine that others use gives numbers that mean nothing.
async function waitUntilIdle(stage: Stage): Promise<void> {
  const deadline = performance.now() + stage.waitIdleSeconds * 1000;
  const cores = [...stage.proxyCores, stage.loadCore];
  while (performance.now() < deadline) {
    const before = cores.map(busySecondsOf);
    await delay(500);
    if (cores.every((core, i) => busySecondsOf(core) - (before[i] ?? 0) < 0.05)) return;
  }
}

/** Starts a proxy, measures it, ends it. Throws with its last words when it does not do the work. */
export async function measurePeer(stage: Stage, peer: Peer, name: CaseName): Promise<Measurement> {
  await waitUntilIdle(stage);
  const running = await RunningPeer.start(stage, peer, name);
  try {
    return await measureRunning(stage, running);
  } finally {
    await running.stop();
  }
}

/** Measures a proxy that goes on running. */
export async function measureRunning(stage: Stage, running: RunningPeer): Promise<Measurement> {
  const { front, startMs, remarks } = running;
  return { ...(await measureLoad(stage, front, front.listenPort, false, running.pids)), startMs, remarks };
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
  const { loadCore, warmupSeconds } = stage;
  const plan = { ...stage, core: loadCore };
  if (warmupSeconds > 0) await runLoad(task, port, direct, { ...plan, seconds: warmupSeconds });
  // What the warm-up left to do does not count.
  await delay(100);
  const busyBefore = busySecondsOfAll(stage.proxyCores);
  const before = cpuTimeOf(pids);
  const started = performance.now();
  const load = await runLoad(task, port, direct, plan);
  const elapsed = (performance.now() - started) / 1000;
  const after = cpuTimeOf(pids);
  const busy = busySecondsOfAll(stage.proxyCores) - busyBefore;
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

function busySecondsOfAll(cores: readonly number[]): number {
  return cores.reduce((sum, core) => sum + busySecondsOf(core), 0);
}
