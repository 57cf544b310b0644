// The running replicas of all Process resources: started, replaced and ended as the resources change, one step at a time per replica.
import { dirname, resolve } from 'node:path';
import type { Process } from '@weft/api/resource/process';
import { messageOf } from '@weft/lib/error';
import type { Objects } from '../mesh-api/watch.ts';
import type { PortPicker } from '../port/free-port.ts';
import { environmentOf } from '../workload/environment.ts';
import type { ProxySettings } from '../workload/proxy-process.ts';
import { Replica, type ReplicaEvents } from '../workload/replica.ts';
import type { TcpPort } from '../workload/tcp-services.ts';
import { makeWorkload, releasePorts, type TcpService, workloadName } from '../workload/workload.ts';

/** Where the file lies that declares a resource, as the mesh API tells it. */
export const fileAnnotation = 'weft.dev/file';

/** What a set needs from the mesh around it. */
export interface ProcessSetContext {
  readonly settings: ProxySettings;
  readonly picker: PortPicker;
  /** Folder that relative working folders start from when no file is known. */
  readonly configFolder: string;
  /** The TCP services at this moment. */
  tcpPorts(): readonly TcpPort[];
  readonly events: ReplicaEvents;
  /** Replicas came or went. */
  onMembers(): void;
}

interface Wanted {
  readonly process: Process;
  readonly replica: number;
  /** Equal for definitions that need no restart. */
  readonly fingerprint: string;
}

interface Slot {
  wanted: Wanted | null;
  /** What runs, or is about to. */
  running: { readonly replica: Replica; readonly fingerprint: string } | null;
  work: Promise<void> | null;
}

/** All local replicas. */
export class ProcessSet {
  private readonly context: ProcessSetContext;
  private readonly slots = new Map<string, Slot>();
  private readonly told = new Set<string>();
  private stopping = false;

  constructor(context: ProcessSetContext) {
    this.context = context;
  }

  /** The resources as they are now. */
  update(objects: Objects): void {
    if (this.stopping) return;
    const wanted = wantedReplicas(objects, (text) => this.noteOnce(text));
    for (const key of wanted.keys())
      if (!this.slots.has(key)) this.slots.set(key, { wanted: null, running: null, work: null });
    for (const [key, slot] of this.slots) {
      slot.wanted = wanted.get(key) ?? null;
      this.settle(key, slot);
    }
  }

  get replicas(): Replica[] {
    const running = [...this.slots.values()].flatMap((slot) => (slot.running === null ? [] : [slot.running.replica]));
    return running.sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Whether every wanted replica runs and is ready. */
  get isReady(): boolean {
    for (const slot of this.slots.values()) {
      if (slot.wanted !== null && slot.running?.replica.state !== 'ready') return false;
    }
    return true;
  }

  /** No further changes; waits for those under way. */
  async close(): Promise<void> {
    this.stopping = true;
    const busy = [...this.slots.values()].filter(({ work }) => work !== null);
    for (const { running } of busy) running?.replica.closeRegistration();
    await Promise.all(busy.map(({ work }) => work));
  }

  private noteOnce(text: string): void {
    if (this.told.has(text)) return;
    this.told.add(text);
    this.context.events.onNote(text);
  }

  private settle(key: string, slot: Slot): void {
    slot.work ??= this.carryOut(key, slot)
      .catch((error: unknown) => this.context.events.onNote(`${key}: ${messageOf(error)}`))
      .finally(() => {
        slot.work = null;
      });
  }

  private async carryOut(key: string, slot: Slot): Promise<void> {
    while (!this.stopping && slot.wanted?.fingerprint !== slot.running?.fingerprint) {
      if (slot.running !== null) {
        const { replica } = slot.running;
        await replica.remove();
        releasePorts(replica.spec.workload, replica.spec.tcp, this.context.picker);
        slot.running = null;
        this.context.onMembers();
        continue;
      }
      if (slot.wanted === null) break;
      slot.running = { replica: await this.makeReplica(slot.wanted), fingerprint: slot.wanted.fingerprint };
      if (this.stopping) return;
      slot.running.replica.start();
      this.context.onMembers();
    }
    if (slot.wanted === null && slot.running === null) this.slots.delete(key);
  }

  private async makeReplica({ process: definition, replica }: Wanted): Promise<Replica> {
    const { settings, picker, configFolder, events } = this.context;
    const workload = await makeWorkload(definition, replica, picker);
    const tcp: TcpService[] = [];
    if (workload.hasProxy) {
      for (const port of this.context.tcpPorts()) tcp.push({ ...port, listenPort: await picker.pick() });
    }
    const { command, env = {}, workingDirectory = '.' } = definition.spec;
    const file = definition.metadata.annotations?.[fileAnnotation];
    const base = file === undefined ? configFolder : dirname(resolve(configFolder, file));
    const workingFolder = resolve(base, workingDirectory);
    return new Replica(
      { workload, tcp, command, env: environmentOf(workload, tcp, env, process.env), workingFolder },
      settings,
      events,
    );
  }
}

function wantedReplicas(objects: Objects, onClash: (text: string) => void): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const object of objects.values()) {
    const definition = object as unknown as Process;
    const { metadata, spec } = definition;
    const { replicas = 1, ...rest } = spec;
    const fingerprint = JSON.stringify([rest, metadata.labels ?? {}, metadata.annotations?.[fileAnnotation] ?? '']);
    for (let replica = 0; replica < replicas; replica++) {
      const key = `${metadata.namespace ?? 'default'}/${workloadName(metadata.name, replica)}`;
      const other = wanted.get(key);
      if (other !== undefined) onClash(clashText(key, replica === 0 ? other : { process: definition, replica }));
      if (other === undefined || replica === 0) wanted.set(key, { process: definition, replica, fingerprint });
    }
  }
  return wanted;
}

/** A further replica is called as its Process with a number behind it, which may be the name of another Process. */
function clashText(key: string, { process: { metadata }, replica }: Omit<Wanted, 'fingerprint'>): string {
  return `replica ${replica + 1} of Process ${metadata.name} does not run, as its name is that of Process ${key}; rename one of the two`;
}
