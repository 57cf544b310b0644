// A proxy that was started for a case and does its work; in `mtls` two, one behind the other.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../test/kit/ports.ts';
import type { CaseName, Role, Task } from './bench-case.ts';
import { Child } from './child.ts';
import type { Stage } from './measure.ts';
import type { Peer } from './peer/peer.ts';
import { probe, probeRefusal } from './probe.ts';

export function makeTask(stage: Stage, name: CaseName, role: Role, listenPort: number, upstreamPort: number): Task {
  const folder = mkdtempSync(join(stage.folder, `${name}-${role}-`));
  return { name, role, listenPort, upstreamPort, folder, ...stage.certificates };
}

async function makeTasks(stage: Stage, name: CaseName): Promise<[Task, ...Task[]]> {
  const [first = 0, second = 0] = await freePorts(2);
  if (name !== 'mtls') return [makeTask(stage, name, 'single', first, stage.backendPort)];
  return [makeTask(stage, name, 'client', first, second), makeTask(stage, name, 'server', second, stage.backendPort)];
}

export class RunningPeer {
  /** What the load is to reach. */
  readonly front: Task;
  /** From the launch until the first port accepted. */
  readonly startMs: number;
  /** What the probe noticed. */
  readonly remarks: readonly string[];
  private readonly children: readonly Child[];

  private constructor(front: Task, children: readonly Child[], startMs: number, remarks: readonly string[]) {
    this.front = front;
    this.children = children;
    this.startMs = startMs;
    this.remarks = remarks;
  }

  /** Throws with its last words when it does not do the work. */
  static async start(stage: Stage, peer: Peer, name: CaseName): Promise<RunningPeer> {
    const tasks = await makeTasks(stage, name);
    const children: Child[] = [];
    try {
      const started = performance.now();
      // The last one first: nobody connects to a port where nobody listens yet.
      for (const task of tasks.toReversed()) {
        const child = new Child(
          stage.proxyCores,
          peer.prepare(task),
          join(task.folder, 'output.log'),
          peer.environment,
        );
        children.push(child);
        await child.listening(task.listenPort, 20_000);
      }
      const startMs = performance.now() - started;
      return new RunningPeer(tasks[0], children, startMs, await probeAll(tasks, children));
    } catch (error) {
      await stopAll(children);
      throw error;
    }
  }

  get pids(): readonly number[] {
    return this.children.map(({ pid }) => pid);
  }

  stop(): Promise<void> {
    return stopAll(this.children);
  }
}

async function stopAll(children: readonly Child[]): Promise<void> {
  await Promise.all(children.map((child) => child.stop()));
}

async function probeAll(tasks: readonly [Task, ...Task[]], children: readonly Child[]): Promise<string[]> {
  const server = tasks.find(({ role }) => role === 'server');
  try {
    if (server !== undefined) await probeRefusal(server);
    return await probe(tasks[0]);
  } catch (cause) {
    const words = children.map((child) => child.lastWords()).join('\n');
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}; its log ends: ${words}`, { cause });
  }
}
