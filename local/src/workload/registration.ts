// Keeps the WorkloadEntry of one replica as it should be: made when the replica is first ready, marked unhealthy while it is not,
// deleted when it is gone. The wish is kept while the mesh API is away and carried out when it is back.
import { kindInfo } from '@weft/api/resource/kind';
import { messageOf } from '@weft/lib/error';
import { ApiError, type ApiObject, type MeshApiClient } from '../mesh-api/client.ts';
import { Backoff, Pause } from '../process/backoff.ts';
import type { Workload } from './workload.ts';

/** Marks the entries that a local mesh made, with the name of the process. */
export const processAnnotation = 'weft.dev/process';

type Wish = 'absent' | 'healthy' | 'unhealthy';

const kind = kindInfo('WorkloadEntry');

/** What the owner is told. */
export interface RegistrationEvents {
  /** The mesh API has what it should. */
  onCarriedOut(): void;
  /** The mesh API does not take it, and will be asked again. Told once for each reason. */
  onRefused(why: string): void;
}

/** The registration of one replica. */
export class Registration {
  private readonly client: MeshApiClient;
  private readonly workload: Workload;
  private readonly backoff: Backoff;
  private readonly pause = new Pause();
  private wish: Wish = 'absent';
  private actual: Wish = 'absent';
  private work: Promise<void> | null = null;
  private closed = false;
  private readonly events: RegistrationEvents;
  /** Why the wish is not carried out at the moment, or null. */
  problem: string | null = null;

  constructor(client: MeshApiClient, workload: Workload, events: RegistrationEvents, backoff: Backoff = new Backoff()) {
    this.backoff = backoff;
    this.events = events;
    this.client = client;
    this.workload = workload;
  }

  /** Whether the mesh knows that the replica can be called. */
  get isHealthy(): boolean {
    return this.actual === 'healthy' && this.wish === 'healthy';
  }

  setReady(ready: boolean): void {
    // Not ready yet: there is nothing to mark, and an entry would only attract calls.
    if (!ready && this.wish === 'absent') return;
    this.wish = ready ? 'healthy' : 'unhealthy';
    this.settle();
  }

  /** The control plane came back: what it kept is looked at again, and what it did not answer need not wait. */
  refresh(): void {
    if (this.wish !== 'absent') this.actual = 'absent';
    this.settle();
    this.pause.end();
  }

  /** Resolves when the entry is deleted, or it was closed. */
  async remove(): Promise<void> {
    this.wish = 'absent';
    this.settle();
    await this.work;
  }

  /** Gives up waiting for the mesh API. */
  close(): void {
    this.closed = true;
    this.pause.end();
  }

  private settle(): void {
    this.work ??= this.carryOut().finally(() => {
      this.work = null;
    });
  }

  private async carryOut(): Promise<void> {
    while (this.actual !== this.wish && !this.closed) {
      const wish = this.wish;
      try {
        await this.make(wish);
        this.actual = wish;
        this.problem = null;
        this.backoff.reset();
        this.events.onCarriedOut();
      } catch (error) {
        this.onProblem(error);
        if (!this.closed) await this.pause.take(this.backoff.next(0));
      }
    }
  }

  private onProblem(error: unknown): void {
    const before = this.problem;
    this.problem = messageOf(error);
    // That nobody answers is told by whoever keeps the control plane running.
    if (error instanceof ApiError && this.problem !== before) this.events.onRefused(this.problem);
  }

  private async make(wish: Wish): Promise<void> {
    const { namespace, name } = this.workload;
    if (wish === 'absent') {
      await this.client.delete(kind, namespace, name);
      return;
    }
    if (this.actual === 'absent') await this.put();
    const status = healthStatus(wish === 'healthy');
    try {
      await this.client.patchStatus(kind, namespace, name, status);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      // Somebody else deleted the entry.
      await this.put();
      await this.client.patchStatus(kind, namespace, name, status);
    }
  }

  /** Creates the entry, or replaces what an earlier run of the mesh left under the name. */
  private async put(): Promise<void> {
    const entry = workloadEntry(this.workload);
    try {
      await this.client.create(kind, entry);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      await this.client.replace(kind, entry);
    }
  }
}

/** The WorkloadEntry of a replica. */
export function workloadEntry(workload: Workload): ApiObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: {
      name: workload.name,
      namespace: workload.namespace,
      labels: workload.labels,
      annotations: { [processAnnotation]: workload.process },
    },
    spec: {
      address: '127.0.0.1',
      ports: Object.fromEntries(workload.ports.map((port) => [port.name, port.listenPort])),
      labels: workload.labels,
      serviceAccount: workload.serviceAccount,
    },
  };
}

function healthStatus(healthy: boolean): unknown {
  const reason = healthy ? 'Ready' : 'NotReady';
  return {
    conditions: [
      { type: 'Healthy', status: healthy ? 'True' : 'False', reason, lastProbeTime: new Date().toISOString() },
    ],
  };
}

/** Removes the entries that an earlier run left behind because it was killed. */
export async function removeLeftEntries(client: MeshApiClient): Promise<void> {
  const { items } = await client.list(kind);
  const left = items.filter((item) => item.metadata.annotations?.[processAnnotation] !== undefined);
  await Promise.all(left.map((item) => client.delete(kind, item.metadata.namespace ?? 'default', item.metadata.name)));
}
