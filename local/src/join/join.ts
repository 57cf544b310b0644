// `weft run … -- CMD`: joins one process of this terminal to a running mesh until it ends or is told to.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { kindInfo } from '@weft/api/resource/kind';
import type { Process } from '@weft/api/resource/process';
import { messageOf, WeftError } from '@weft/lib/error';
import { announceJoined } from '../mesh/joined.ts';
import { entry } from '../mesh/mesh.ts';
import { clientFor, type MeshApiClient } from '../mesh-api/client.ts';
import { PortPicker } from '../port/free-port.ts';
import { retryText } from '../process/backoff.ts';
import { type Child, describeExit, type Exit, startUserChild } from '../process/child.ts';
import { type StatePaths, stateFolderError } from '../state/folder.ts';
import { isAlive } from '../state/process-identity.ts';
import { type RunFile, readRunFile } from '../state/run-file.ts';
import type { ControlPlaneAddress } from '../workload/bootstrap.ts';
import { environmentOf } from '../workload/environment.ts';
import { Probe, probeTarget } from '../workload/probe.ts';
import { logPath, ProxyProcess, type ProxySettings } from '../workload/proxy-process.ts';
import { Registration } from '../workload/registration.ts';
import { tcpPortsOf } from '../workload/tcp-services.ts';
import { makeWorkload, type TcpService, type Workload } from '../workload/workload.ts';
import { obtainService } from './service.ts';

/** What `weft run` was asked for. */
export interface JoinOptions {
  readonly service: string;
  readonly version: string;
  readonly namespace: string;
  readonly port: number;
  readonly targetPort: number | null;
  readonly protocol: string | null;
  readonly serviceAccount: string;
  readonly command: readonly string[];
  /** Another entry point, for tests. */
  readonly proxyEntry?: string;
}

const sidecarReadyMs = 20_000;
const graceMs = 8_000;
/** The mesh may be on its way down. */
const removeMs = 2000;
const leaveMs = 300;
const meshPollMs = 1000;

/** Runs the process; resolves to its exit code. */
export async function runJoined(
  options: JoinOptions,
  paths: StatePaths,
  note: (text: string) => void,
): Promise<number> {
  const mesh = readRunFile(paths);
  const client = clientFor(mesh.api, mesh.tokenFile);
  const member = await Member.make(options, paths, client, note).catch((error: unknown) => {
    throw stateFolderError(paths, 'written', error);
  });
  const end = endRequest(mesh, note);
  try {
    return await member.run(end.requested);
  } finally {
    end.dispose();
    await member.leave();
    client.close();
  }
}

interface MemberParts {
  readonly options: JoinOptions;
  readonly workload: Workload;
  readonly tcp: readonly TcpService[];
  readonly paths: StatePaths;
  readonly client: MeshApiClient;
  readonly note: (text: string) => void;
}

/** One joined process with its sidecar. */
class Member {
  private readonly workload: Workload;
  private readonly tcp: readonly TcpService[];
  private readonly options: JoinOptions;
  private readonly sidecar: ProxyProcess;
  private readonly registration: Registration;
  private readonly probe: Probe;
  private readonly note: (text: string) => void;
  private readonly withdraw: () => void;
  private child: Child | null = null;
  private isProxyReady = false;
  private hasServed = false;
  private isAppReady = false;
  private onProxyReady: (() => void) | null = null;

  private constructor({ options, workload, tcp, paths, client, note }: MemberParts) {
    this.options = options;
    this.workload = workload;
    this.tcp = tcp;
    this.note = note;
    const settings = proxySettings(options, paths, client);
    this.sidecar = new ProxyProcess(workload, { tcp, gateway: null }, settings, {
      onReady: (ready) => this.onSidecar(ready),
      onDown: (reason, retryMs) => note(`weft: sidecar ${reason}; ${retryText(retryMs)}`),
      onNote: (text) => note(`weft: ${text}`),
    });
    this.registration = new Registration(client, workload, {
      onCarriedOut: () => this.onRegistered(),
      onRefused: (why) => note(`weft: ${workload.name} cannot join service ${options.service}: ${why}`),
    });
    this.probe = new Probe(probeTarget(null, workload.ports), null, (ready) => {
      this.isAppReady = ready;
      this.settle();
    });
    const admin = `http://127.0.0.1:${workload.adminPort}`;
    // The process writes to this terminal; what is kept is the sidecar's log.
    this.withdraw = announceJoined(paths.joined, {
      name: workload.name,
      namespace: workload.namespace,
      admin,
      log: logPath(paths.joinedLogs, workload, true),
    });
  }

  static async make(
    options: JoinOptions,
    paths: StatePaths,
    client: MeshApiClient,
    note: (text: string) => void,
  ): Promise<Member> {
    const found = await obtainService(client, {
      name: options.service,
      namespace: options.namespace,
      port: options.port,
      protocol: options.protocol,
    });
    if (found.created) note(createdText(options));
    const picker = new PortPicker();
    const port = { name: found.portName || 'http', port: options.port, protocol: found.protocol };
    const definition: Process = {
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'Process',
      metadata: {
        name: workloadNameFor(options, process.pid),
        namespace: options.namespace,
        labels: { app: options.service, ...found.labels, version: options.version },
      },
      spec: {
        command: [...options.command],
        serviceAccount: options.serviceAccount,
        ports: [options.targetPort === null ? port : { ...port, targetPort: options.targetPort }],
      },
    };
    const workload = await makeWorkload(definition, 0, picker);
    const services = await client.list(kindInfo('Service'));
    const tcp: TcpService[] = [];
    for (const service of tcpPortsOf(services.items)) tcp.push({ ...service, listenPort: await picker.pick() });
    return new Member({ options, workload, tcp, paths, client, note });
  }

  /** The exit code of the process, or 0 when it was told to end. */
  async run(requested: Promise<void>): Promise<number> {
    this.sidecar.start();
    await this.awaitSidecar(requested);
    if (!this.isProxyReady) return 0;
    const child = startUserChild({
      command: this.options.command,
      env: environmentOf(this.workload, this.tcp, {}, process.env),
      workingFolder: process.cwd(),
      output: 'terminal',
    });
    this.child = child;
    this.probe.start();
    const exit = await Promise.race([child.ended, requested.then(() => null)]);
    return exit === null ? 0 : this.exitCode(exit);
  }

  /** Out of the mesh first, then the process, then its sidecar. A log that tells of trouble stays until the next `weft up`. */
  async leave(): Promise<void> {
    this.withdraw();
    const wasReady = this.isAppReady;
    const removed = this.registration.remove();
    await Promise.race([removed, sleep(removeMs, undefined, { ref: false })]);
    this.registration.close();
    if (wasReady && this.child !== null) await sleep(leaveMs);
    this.probe.stop();
    await this.child?.stop(graceMs);
    await this.sidecar.stop(graceMs);
    this.sidecar.removeFiles();
    if (this.hasServed && this.sidecar.restarts === 0) this.sidecar.removeLog();
  }

  private async awaitSidecar(requested: Promise<void>): Promise<void> {
    const failure = new WeftError(
      'WEFT0814',
      `the sidecar did not become ready in ${sidecarReadyMs / 1000} s; its log ${this.sidecar.log} says why`,
    );
    let timer: NodeJS.Timeout | undefined;
    const ready = new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(failure), sidecarReadyMs);
      this.onProxyReady = resolve;
    });
    try {
      await Promise.race([ready, requested]);
    } finally {
      // Left running, it would keep a process that was told to end for the rest of its time.
      clearTimeout(timer);
    }
  }

  private exitCode(exit: Exit): number {
    if (exit.code !== 0) this.note(`weft: the process ${describeExit(exit)}`);
    return exit.code ?? 1;
  }

  private onSidecar(ready: boolean): void {
    this.isProxyReady = ready;
    this.hasServed ||= ready;
    if (ready) this.onProxyReady?.();
    this.settle();
  }

  private settle(): void {
    const ready = this.isProxyReady && this.isAppReady;
    this.registration.setReady(ready);
  }

  private onRegistered(): void {
    if (!this.registration.isHealthy) return;
    this.note(`weft: ${this.workload.name} serves ${this.options.service}:${this.options.port}`);
  }
}

function createdText({ service, namespace, port }: JoinOptions): string {
  const where = namespace === 'default' ? '' : ` -n ${namespace}`;
  return `weft: made service ${service} with port ${port}; weft delete service ${service}${where} removes it`;
}

/** A label may hold what a name may not. */
export function workloadNameFor({ service, version }: Pick<JoinOptions, 'service' | 'version'>, pid: number): string {
  return `${service}-${version.toLowerCase().replace(/[^a-z0-9]/g, '-')}-${pid}`;
}

function proxySettings(options: JoinOptions, paths: StatePaths, client: MeshApiClient): ProxySettings {
  return {
    client,
    controlPlane: readAddress(paths),
    proxyEntry: options.proxyEntry ?? entry('proxy'),
    workloadsFolder: paths.workloads,
    logsFolder: paths.joinedLogs,
  };
}

function readAddress(paths: StatePaths): ControlPlaneAddress {
  try {
    return JSON.parse(readFileSync(paths.address, 'utf8'));
  } catch (error) {
    throw new WeftError(
      'WEFT0811',
      `${paths.address} cannot be read (${messageOf(error)}); stop the mesh and start it again`,
      { cause: error },
    );
  }
}

/** Resolves at a signal, or when the mesh that was joined is gone. */
function endRequest(mesh: RunFile, note: (text: string) => void): { requested: Promise<void>; dispose(): void } {
  let stop = (): void => {};
  const requested = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (): void => stop();
  for (const signal of signals) process.on(signal, onSignal);
  const poll = setInterval(() => {
    if (isAlive(mesh.pid)) return;
    note('weft: the mesh has stopped; leaving');
    stop();
  }, meshPollMs).unref();
  const dispose = (): void => {
    for (const signal of signals) process.off(signal, onSignal);
    clearInterval(poll);
  };
  return { requested, dispose };
}
