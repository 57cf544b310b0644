// A mesh on this machine: control plane, ingress gateway and every Process with its sidecar, from start to stop.
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kindInfo } from '@weft/api/resource/kind';
import { messageOf, WeftError } from '@weft/lib/error';
import { type ApiObject, clientFor, type MeshApiClient } from '../mesh-api/client.ts';
import { type Objects, Watch } from '../mesh-api/watch.ts';
import { claimPort, PortPicker } from '../port/free-port.ts';
import { retryText } from '../process/backoff.ts';
import { endLeftPrograms } from '../process/left-program.ts';
import { LogKeeper } from '../process/log-file.ts';
import { findStateFolder, makeStateFolders, type StatePaths, stateFolderError, statePaths } from '../state/folder.ts';
import { acquireLock, type Lock } from '../state/lock.ts';
import { type RunningWorkload, removeRunFile, writeRunFile } from '../state/run-file.ts';
import { ProxyProcess, type ProxySettings } from '../workload/proxy-process.ts';
import { removeLeftEntries } from '../workload/registration.ts';
import { type TcpPort, tcpPortsOf } from '../workload/tcp-services.ts';
import { shownName, type Workload } from '../workload/workload.ts';
import { ControlPlane, makeToken } from './control-plane.ts';
import { declaredPorts, GatewayPorts, ingressLabels } from './gateway-ports.ts';
import { JoinedWatch } from './joined.ts';
import { ProcessSet } from './process-set.ts';

const trustDomain = 'cluster.local';
const gatewayGraceMs = 8_000;
const controlPlaneGraceMs = 5_000;
/** After a killed run its processes need a moment to end and to free their ports. */
const takeoverMs = 8_000;
const controlPlaneStartMs = 30_000;

/** What `weft up` was asked for. */
export interface MeshOptions {
  readonly configFolder: string;
  readonly ingressPort: number;
  readonly apiPort: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly workingFolder?: string;
  /** Other entry points, for tests. */
  readonly proxyEntry?: string;
  readonly controlPlaneEntry?: string;
}

/** A line of the status table. */
export interface StatusRow {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly restarts: number;
  readonly log: string;
}

/** What the mesh tells whoever shows it. */
export interface MeshEvents {
  onRows(rows: readonly StatusRow[]): void;
  onNote(text: string): void;
}

/** A mesh that runs, or is about to. */
export class Mesh {
  readonly paths: StatePaths;
  private readonly options: MeshOptions;
  private readonly events: MeshEvents;
  private readonly lock: Lock;
  private readonly picker = new PortPicker();
  private readonly logs = new LogKeeper();
  private readonly watches: Watch[] = [];
  private readonly objects = new Map<string, Objects>();
  private parts: Parts | null = null;
  private joined: readonly RunningWorkload[] = [];
  private gatewayState = 'starting';
  private runFileText = '';
  private stopped: Promise<void> | null = null;
  private onSettled: (() => void) | null = null;

  private constructor(options: MeshOptions, events: MeshEvents, paths: StatePaths, lock: Lock) {
    this.options = options;
    this.events = events;
    this.paths = paths;
    this.lock = lock;
  }

  /** Takes the state folder and the ports; throws when another mesh has them. */
  static async open(options: MeshOptions, events: MeshEvents): Promise<Mesh> {
    const configFolder = resolve(options.workingFolder ?? process.cwd(), options.configFolder);
    if (!existsSync(configFolder) || !statSync(configFolder).isDirectory()) {
      throw new WeftError(
        'WEFT0804',
        `${configFolder} is no folder; give the folder that holds the mesh's YAML files, such as examples/bookinfo`,
      );
    }
    const paths = statePaths(findStateFolder(options.env ?? process.env, options.workingFolder ?? process.cwd()));
    makeStateFolders(paths);
    const lock = takeLock(paths);
    const mesh = new Mesh({ ...options, configFolder }, events, paths, lock);
    try {
      removeRunFile(paths.runFile);
      await endLeftPrograms(paths.workloads);
      rmSync(paths.joinedLogs, { recursive: true, force: true });
      makeToken(paths.token, events.onNote);
      mesh.parts = await mesh.makeParts();
    } catch (error) {
      lock.release();
      throw stateFolderError(paths, 'written', error);
    }
    return mesh;
  }

  get ingressUrl(): string {
    return `http://localhost:${this.mustParts().ingressPort}`;
  }

  get apiUrl(): string {
    return this.mustParts().client.url;
  }

  get client(): MeshApiClient {
    return this.mustParts().client;
  }

  /** The Gateways and VirtualServices known, for the words on the screen. */
  resources(kind: 'Gateway' | 'VirtualService'): readonly ApiObject[] {
    return [...(this.objects.get(kind)?.values() ?? [])];
  }

  /** Starts everything; resolves when the control plane answers and run.json is there. Replicas may still be starting. */
  async start(): Promise<void> {
    const { controlPlane, client, gateway } = this.mustParts();
    await this.startControlPlane(controlPlane);
    if (this.stopped !== null) return;
    await removeLeftEntries(client);
    // Services and gateways first: replicas and the gateway are started with what these say.
    await Promise.all([this.watch('Service'), this.watch('Gateway'), this.watch('VirtualService')]);
    await this.mustParts().gatewayPorts.add(declaredPorts(this.resources('Gateway')));
    gateway.setPorts({ tcp: [], gateway: this.mustParts().gatewayPorts.mapping });
    gateway.start();
    await this.watch('Process');
    this.mustParts().joinedWatch.start();
    this.refresh();
  }

  /** Resolves when the gateway and all replicas are ready, or `timeoutMs` is over; true in the first case. */
  whenReady(timeoutMs: number): Promise<boolean> {
    return new Promise((resolveWhen) => {
      const timer = setTimeout(() => finish(false), timeoutMs);
      const finish = (ready: boolean): void => {
        clearTimeout(timer);
        this.onSettled = null;
        resolveWhen(ready);
      };
      const check = (): void => {
        if (this.stopped !== null) finish(false);
        else if (this.isReady) finish(true);
      };
      this.onSettled = check;
      check();
    });
  }

  get isReady(): boolean {
    return this.gatewayState === 'ready' && this.mustParts().processes.isReady;
  }

  /** Ends everything in order: gateway, programs, sidecars, control plane. Safe to call twice. */
  stop(): Promise<void> {
    this.stopped ??= this.stopAll();
    return this.stopped;
  }

  private async stopAll(): Promise<void> {
    const { processes, gateway, controlPlane, joinedWatch, client } = this.mustParts();
    this.onSettled?.();
    this.logs.stop();
    joinedWatch.stop();
    for (const watch of this.watches) watch.stop();
    const closing = processes.close();
    this.gatewayState = 'stopping';
    this.refresh();
    await gateway.stop(gatewayGraceMs);
    await closing;
    const replicas = processes.replicas;
    await Promise.all(replicas.map((replica) => replica.stopApp()));
    await Promise.all(replicas.map((replica) => replica.stopSidecar()));
    await controlPlane.stop(controlPlaneGraceMs);
    client.close();
    removeRunFile(this.paths.runFile);
    rmSync(this.paths.workloads, { recursive: true, force: true });
    this.lock.release();
  }

  private async makeParts(): Promise<Parts> {
    const { options, paths, picker } = this;
    const ingressPort = await this.claim(options.ingressPort, '--ingress-port');
    const apiPort = await this.claim(options.apiPort, '--api-port');
    const xdsPort = await picker.pick();
    const client = clientFor(`http://127.0.0.1:${apiPort}`, paths.token);
    const controlPlane = new ControlPlane(
      {
        entry: options.controlPlaneEntry ?? entry('control-plane'),
        configFolder: options.configFolder,
        paths,
        apiPort,
        xdsPort,
        trustDomain,
      },
      client,
      {
        onReady: () => this.onControlPlaneReady(),
        onDown: (reason, retryMs) => this.onPartDown('control plane', reason, retryMs),
      },
    );
    const settings: ProxySettings = {
      client,
      controlPlane: { xdsPort, trustDomain, rootFile: join(paths.controlPlane, 'ca', 'root-cert.pem') },
      proxyEntry: options.proxyEntry ?? entry('proxy'),
      workloadsFolder: paths.workloads,
      logsFolder: paths.logs,
    };
    writeFileSync(paths.address, JSON.stringify(settings.controlPlane), { mode: 0o600 });
    const gatewayPorts = new GatewayPorts(ingressPort, picker);
    const gatewayWorkload = await makeGatewayWorkload(picker);
    const gateway = new ProxyProcess(gatewayWorkload, { tcp: [], gateway: gatewayPorts.mapping }, settings, {
      onReady: (ready) => this.setGatewayState(ready ? 'ready' : 'not ready'),
      onDown: (reason, retryMs) => this.onPartDown('gateway', reason, retryMs),
      onNote: (text) => this.events.onNote(`gateway: ${text} (log: ${gateway.log})`),
    });
    const processes = new ProcessSet({
      settings,
      picker,
      configFolder: options.configFolder,
      tcpPorts: () => this.tcpPorts(),
      events: { onState: () => this.refresh(), onNote: (text) => this.events.onNote(text) },
      onMembers: () => this.refresh(),
    });
    const onJoined = (workloads: readonly RunningWorkload[]): void => {
      for (const { log } of this.joined) this.logs.forget(log);
      this.joined = workloads;
      this.refresh();
    };
    const joinedWatch = new JoinedWatch(paths, client, onJoined, () => this.onStateLost());
    return { ingressPort, client, controlPlane, gateway, gatewayWorkload, gatewayPorts, processes, joinedWatch };
  }

  private async claim(port: number, flag: string): Promise<number> {
    const deadline = performance.now() + (this.lock.wasStale ? takeoverMs : 0);
    for (;;) {
      try {
        return await claimPort(port, flag, this.picker);
      } catch (error) {
        if (performance.now() >= deadline) throw error;
        await new Promise((resume) => setTimeout(resume, 100));
      }
    }
  }

  private async startControlPlane(controlPlane: ControlPlane): Promise<void> {
    controlPlane.start();
    const deadline = performance.now() + controlPlaneStartMs;
    while (!controlPlane.ready && this.stopped === null) {
      if (controlPlane.problem !== null) {
        throw new WeftError('WEFT0831', `the control plane cannot start: ${controlPlane.problem}`);
      }
      if (performance.now() > deadline) {
        throw new WeftError(
          'WEFT0806',
          `the control plane did not become ready in ${controlPlaneStartMs / 1000} s; its log ${controlPlane.log} says why`,
        );
      }
      await new Promise((resume) => setTimeout(resume, 10));
    }
  }

  private async watch(kind: 'Service' | 'Gateway' | 'VirtualService' | 'Process'): Promise<void> {
    const watch = new Watch(this.client, kindInfo(kind), (objects) => {
      this.objects.set(kind, objects);
      if (kind === 'Process') this.mustParts().processes.update(objects);
      if (kind === 'Gateway') void this.onGateways().catch((error: unknown) => this.events.onNote(messageOf(error)));
    });
    this.watches.push(watch);
    await watch.start();
  }

  /** A gateway port that appears while the gateway runs: only one that cannot have its own number needs a restart. */
  private async onGateways(): Promise<void> {
    const { gateway, gatewayPorts } = this.mustParts();
    if (gateway.pid === null) return;
    const before = JSON.stringify(gatewayPorts.moved);
    if (!(await gatewayPorts.add(declaredPorts(this.resources('Gateway'))))) return;
    gateway.setPorts({ tcp: [], gateway: gatewayPorts.mapping });
    if (JSON.stringify(gatewayPorts.moved) === before) return;
    this.events.onNote(
      'the gateway is started again to serve a port on another number than its own; see "ports" in run.json',
    );
    await gateway.restart(gatewayGraceMs);
    this.refresh();
  }

  private tcpPorts(): readonly TcpPort[] {
    return tcpPortsOf(this.objects.get('Service')?.values() ?? []);
  }

  private onControlPlaneReady(): void {
    for (const watch of this.watches) watch.retry();
    for (const replica of this.mustParts().processes.replicas) replica.refreshRegistration();
    this.refresh();
  }

  private onPartDown(part: string, reason: string, retryMs: number): void {
    if (this.stopped !== null) return;
    const { controlPlane, gateway } = this.mustParts();
    if (part === 'gateway') this.gatewayState = 'restarting';
    const log = part === 'gateway' ? gateway.log : controlPlane.log;
    this.events.onNote(`${part} ${reason}; ${retryText(retryMs)} (log: ${log})`);
    this.refresh();
  }

  private setGatewayState(state: string): void {
    if (this.stopped !== null) return;
    this.gatewayState = state;
    this.refresh();
  }

  /** Something changed: the table, run.json, the logs that are watched. */
  private refresh(): void {
    if (this.parts === null) return;
    this.events.onRows(this.rows());
    this.saveRunFile();
    this.onSettled?.();
  }

  private rows(): StatusRow[] {
    const { controlPlane, gateway, processes } = this.mustParts();
    const state = this.stopped !== null ? 'stopping' : controlPlane.state;
    const rows: StatusRow[] = [
      { name: 'control-plane', kind: 'control plane', state, restarts: controlPlane.restarts, log: controlPlane.log },
      {
        name: 'istio-ingressgateway',
        kind: 'gateway',
        state: this.gatewayState,
        restarts: gateway.restarts,
        log: gateway.log,
      },
    ];
    for (const replica of processes.replicas) {
      rows.push({
        name: replica.name,
        kind: 'process',
        state: replica.state,
        restarts: replica.restarts,
        log: replica.log,
      });
      if (replica.proxyLog !== null) this.logs.watch(replica.proxyLog);
    }
    for (const row of rows) this.logs.watch(row.log);
    for (const joined of this.joined) {
      this.logs.watch(joined.log);
      rows.push({ name: shownName(joined), kind: 'weft run', state: 'joined', restarts: 0, log: joined.log });
    }
    return rows;
  }

  private saveRunFile(): void {
    if (this.stopped !== null || this.watches.length === 0) return;
    const { ingressPort, gatewayWorkload, gateway, processes, client, gatewayPorts } = this.mustParts();
    const workloads: RunningWorkload[] = [running(gatewayWorkload, gateway.log)];
    for (const replica of processes.replicas) workloads.push(running(replica.spec.workload, replica.log));
    const moved = gatewayPorts.moved;
    const content = {
      ingress: `http://127.0.0.1:${ingressPort}`,
      api: client.url,
      tokenFile: this.paths.token,
      pid: process.pid,
      workloads: [...workloads, ...this.joined],
      ...(Object.keys(moved).length === 0 ? {} : { ports: moved }),
    };
    const text = JSON.stringify(content);
    if (text === this.runFileText) return;
    this.runFileText = text;
    try {
      writeRunFile(this.paths.runFile, content);
    } catch (error) {
      // The mesh goes on: whoever reads the file finds the last one, and the next change writes it again.
      this.events.onNote(messageOf(stateFolderError(this.paths, 'written', error)));
    }
  }

  private onStateLost(): void {
    this.events.onNote(
      `the state folder ${this.paths.root} was removed; traffic goes on, but other commands do not find this mesh: stop it and start it again`,
    );
  }

  private mustParts(): Parts {
    if (this.parts === null) throw new Error('the mesh is not open');
    return this.parts;
  }
}

function takeLock(paths: StatePaths): Lock {
  try {
    return acquireLock(paths.lock);
  } catch (error) {
    throw stateFolderError(paths, 'written', error);
  }
}

interface Parts {
  readonly ingressPort: number;
  readonly client: MeshApiClient;
  readonly controlPlane: ControlPlane;
  readonly gateway: ProxyProcess;
  readonly gatewayWorkload: Workload;
  readonly gatewayPorts: GatewayPorts;
  readonly processes: ProcessSet;
  readonly joinedWatch: JoinedWatch;
}

/** The `.mjs` that runs a part. */
export function entry(part: 'proxy' | 'control-plane'): string {
  return fileURLToPath(new URL(`../../../${part}/main.mjs`, import.meta.url));
}

function running(workload: Workload, log: string): RunningWorkload {
  const admin = workload.hasProxy ? `http://127.0.0.1:${workload.adminPort}` : '';
  return { name: workload.name, namespace: workload.namespace, admin, log };
}

async function makeGatewayWorkload(picker: PortPicker): Promise<Workload> {
  return {
    name: 'istio-ingressgateway',
    process: 'istio-ingressgateway',
    namespace: 'istio-system',
    serviceAccount: 'istio-ingressgateway',
    labels: ingressLabels,
    hasProxy: true,
    adminPort: await picker.pick(),
    capturePort: 0,
    credential: randomBytes(24).toString('base64url'),
    ports: [],
    readiness: null,
  };
}
