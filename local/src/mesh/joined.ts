// Processes that `weft run` joined to the mesh from outside: each has a file in the state folder while it runs. The mesh lists them
// in run.json and cleans up after one that was killed.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { kindInfo } from '@weft/api/resource/kind';
import { makeFolder } from '@weft/lib/disk/make-folder';
import type { MeshApiClient } from '../mesh-api/client.ts';
import { removeLog } from '../process/log-file.ts';
import type { StatePaths } from '../state/folder.ts';
import { writePrivate } from '../state/private-file.ts';
import { startMark } from '../state/process-identity.ts';
import type { RunningWorkload } from '../state/run-file.ts';
import { workloadFolder } from '../workload/proxy-process.ts';

const pollMs = 1000;

interface JoinedFile extends RunningWorkload {
  readonly pid: number;
  readonly started: string;
}

/** Announces a joined process of this `weft run`; the returned function takes it back. */
export function announceJoined(folder: string, workload: RunningWorkload): () => void {
  makeFolder(folder, 0o700);
  const path = join(folder, `${workload.namespace}.${workload.name}.json`);
  const content: JoinedFile = { ...workload, pid: process.pid, started: startMark(process.pid) ?? '' };
  writePrivate(path, JSON.stringify(content));
  return () => rmSync(path, { force: true });
}

/** Watches the folder; `onChange` gets the whole list whenever it differs. */
export class JoinedWatch {
  private readonly paths: Pick<StatePaths, 'joined' | 'workloads'>;
  private readonly client: MeshApiClient;
  private readonly onChange: (workloads: readonly RunningWorkload[]) => void;
  private readonly onLost: () => void;
  private timer: NodeJS.Timeout | null = null;
  private last = '[]';
  private isLost = false;

  /** `onLost` is told once when somebody removes the folder while the mesh runs. */
  constructor(
    paths: Pick<StatePaths, 'joined' | 'workloads'>,
    client: MeshApiClient,
    onChange: (workloads: readonly RunningWorkload[]) => void,
    onLost: () => void = () => {},
  ) {
    this.paths = paths;
    this.client = client;
    this.onChange = onChange;
    this.onLost = onLost;
  }

  start(): void {
    this.check();
    this.timer = setInterval(() => this.check(), pollMs).unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private check(): void {
    const alive: RunningWorkload[] = [];
    for (const file of this.files()) {
      const path = join(this.paths.joined, file);
      const content = readJoined(path);
      if (content === null) continue;
      if (startMark(content.pid) === content.started) {
        const { name, namespace, admin, log } = content;
        alive.push({ name, namespace, admin, log });
      } else void this.cleanUp(path, content);
    }
    const text = JSON.stringify(alive);
    if (text === this.last) return;
    this.last = text;
    this.onChange(alive);
  }

  private files(): string[] {
    try {
      const names = readdirSync(this.paths.joined);
      this.isLost = false;
      return names.filter((name) => name.endsWith('.json'));
    } catch {
      if (!this.isLost) this.onLost();
      this.isLost = true;
      return [];
    }
  }

  /** Its `weft run` was killed: nobody else would take its endpoint out of the mesh, and its files off the disk. */
  private async cleanUp(path: string, { name, namespace, log }: JoinedFile): Promise<void> {
    try {
      await this.client.delete(kindInfo('WorkloadEntry'), namespace, name);
      rmSync(workloadFolder(this.paths.workloads, { name, namespace }), { recursive: true, force: true });
      removeLog(log);
      rmSync(path, { force: true });
    } catch {
      // The control plane is away; the next round tries again.
    }
  }
}

function readJoined(path: string): JoinedFile | null {
  try {
    const content = JSON.parse(readFileSync(path, 'utf8'));
    return typeof content.name === 'string' && typeof content.pid === 'number' ? content : null;
  } catch {
    return null;
  }
}
