// One replica of a process: the user's program, its sidecar and its registration, started in that order of need: the sidecar
// first, as the program may call others at once; registered when the program is ready.
import { retryText } from '../process/backoff.ts';
import { type ChildSpec, startUserChild } from '../process/child.ts';
import { Keeper } from '../process/keeper.ts';
import { noteProgram } from '../process/left-program.ts';
import { Probe, probeTarget } from './probe.ts';
import { logPath, ProxyProcess, type ProxySettings, workloadFolder } from './proxy-process.ts';
import { Registration } from './registration.ts';
import { shownName, type TcpService, type Workload } from './workload.ts';

/** What a person sees of a workload. */
export type ReplicaState = 'waiting for sidecar' | 'starting' | 'ready' | 'not ready' | 'restarting' | 'stopping';

/** What a replica is made of. */
export interface ReplicaSpec {
  readonly workload: Workload;
  readonly tcp: readonly TcpService[];
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly workingFolder: string;
}

/** What the owner is told. */
export interface ReplicaEvents {
  /** The state changed. */
  onState(replica: Replica): void;
  /** Something a person should read. */
  onNote(text: string): void;
}

const appGraceMs = 8_000;
const proxyGraceMs = 8_000;
/** Time for the others to learn that an endpoint is gone before its process ends. */
const leaveMs = 500;

/** A running replica. */
export class Replica {
  readonly spec: ReplicaSpec;
  readonly log: string;
  private readonly events: ReplicaEvents;
  private readonly folder: string;
  private readonly registration: Registration;
  private readonly sidecar: ProxyProcess | null;
  private readonly app: Keeper;
  private readonly probe: Probe;
  private isProxyReady: boolean;
  private isAppReady = false;
  private hasStartedApp = false;
  state: ReplicaState;
  /** Why it was last down, or an empty string. */
  lastProblem = '';

  constructor(spec: ReplicaSpec, settings: ProxySettings, events: ReplicaEvents) {
    const { workload } = spec;
    this.spec = spec;
    this.events = events;
    this.log = logPath(settings.logsFolder, workload, false);
    this.folder = workloadFolder(settings.workloadsFolder, workload);
    this.registration = new Registration(settings.client, workload, {
      onCarriedOut: () => this.settle(),
      onRefused: (why) => events.onNote(`${this.name}: the mesh does not take it in: ${why}`),
    });
    this.isProxyReady = !workload.hasProxy;
    this.state = workload.hasProxy ? 'waiting for sidecar' : 'starting';
    this.sidecar = workload.hasProxy ? this.makeSidecar(settings) : null;
    this.app = this.makeApp();
    this.probe = new Probe(probeTarget(workload.readiness, workload.ports), workload.readiness, (ready) => {
      this.isAppReady = ready;
      this.settle();
    });
  }

  /** As a person calls it: with its namespace where that is not the usual one. */
  get name(): string {
    return shownName(this.spec.workload);
  }

  get restarts(): number {
    return this.app.restarts + (this.sidecar?.restarts ?? 0);
  }

  get proxyLog(): string | null {
    return this.sidecar?.log ?? null;
  }

  start(): void {
    if (this.sidecar === null) this.startApp();
    else this.sidecar.start();
  }

  /** The control plane lost what it knew. */
  refreshRegistration(): void {
    this.registration.refresh();
  }

  /** The whole mesh ends: its removal from it is not waited for. */
  closeRegistration(): void {
    this.registration.close();
  }

  /** Takes it out of the mesh, then ends program and sidecar. */
  async remove(): Promise<void> {
    this.setState('stopping');
    const wasReady = this.isAppReady;
    await this.registration.remove();
    if (wasReady) await new Promise((resolve) => setTimeout(resolve, leaveMs));
    await this.stopApp();
    await this.stopSidecar();
  }

  /** Ends the program only: the first half of stopping a whole mesh. */
  async stopApp(): Promise<void> {
    this.setState('stopping');
    this.closeRegistration();
    this.probe.stop();
    await this.app.stop(appGraceMs);
  }

  async stopSidecar(): Promise<void> {
    await this.sidecar?.stop(proxyGraceMs);
  }

  private makeSidecar(settings: ProxySettings): ProxyProcess {
    const { workload, tcp } = this.spec;
    return new ProxyProcess(workload, { tcp, gateway: null }, settings, {
      onReady: (ready) => {
        this.isProxyReady = ready;
        if (ready) this.startApp();
        this.settle();
      },
      onDown: (reason, retryMs) => this.onDown('sidecar', reason, retryMs),
      onNote: (text) => this.events.onNote(`${this.name}: ${text} (log: ${this.logOf('sidecar')})`),
    });
  }

  private makeApp(): Keeper {
    const { command, env, workingFolder } = this.spec;
    const child: ChildSpec = { command, env, workingFolder, output: this.log };
    return new Keeper(async () => startUserChild(child), {
      onStarted: ({ pid }) => {
        noteProgram(this.folder, pid);
        this.probe.start();
      },
      onDown: (reason, retryMs) => {
        this.probe.stop();
        this.onDown('process', reason, retryMs);
      },
    });
  }

  private startApp(): void {
    if (this.hasStartedApp) return;
    this.hasStartedApp = true;
    this.setState('starting');
    this.app.start();
  }

  private onDown(part: string, reason: string, retryMs: number): void {
    if (this.state === 'stopping') return;
    this.lastProblem = `${part} ${reason}`;
    this.setState('restarting');
    this.events.onNote(`${this.name}: ${this.lastProblem}; ${retryText(retryMs)} (log: ${this.logOf(part)})`);
  }

  private logOf(part: string): string {
    return part === 'sidecar' ? (this.sidecar?.log ?? this.log) : this.log;
  }

  private settle(): void {
    if (this.state === 'stopping') return;
    const ready = this.isProxyReady && this.isAppReady;
    // A process without ports offers nothing that others could call.
    const isCallable = this.spec.workload.ports.length > 0;
    if (isCallable) this.registration.setReady(ready);
    if (ready && (!isCallable || this.registration.isHealthy)) this.setState('ready');
    else if (!ready && this.state === 'ready') this.setState('not ready');
  }

  private setState(state: ReplicaState): void {
    if (this.state === state) return;
    this.state = state;
    this.events.onState(this);
  }
}
