// One proxy of the local mesh, sidecar or gateway: its files, its process, and whether it is ready. A restarted proxy gets the
// same ports and a new join token, as its key died with it.

import { rmSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { type Clock, systemClock } from '@weft/lib/clock';
import { makeFolder } from '@weft/lib/disk/make-folder';
import { proxyNodeFlags } from '@weft/proxy/node-flags';
import type { MeshApiClient } from '../mesh-api/client.ts';
import { type Child, startOwnChild } from '../process/child.ts';
import { Keeper } from '../process/keeper.ts';
import { removeLog } from '../process/log-file.ts';
import { writePrivate } from '../state/private-file.ts';
import { type ControlPlaneAddress, type ProxyPorts, proxyBootstrap } from './bootstrap.ts';
import { JoinToken } from './join-token.ts';
import { RootWatch } from './root-watch.ts';
import { spiffeId, type Workload } from './workload.ts';

const readyPollMs = 50;
/** Shorter than what whoever stops it waits before it kills. */
const drainSeconds = 5;
const restartGraceMs = 8000;

/** What every proxy of one mesh shares. */
export interface ProxySettings {
  readonly client: MeshApiClient;
  readonly controlPlane: ControlPlaneAddress;
  /** The `.mjs` that runs a proxy. */
  readonly proxyEntry: string;
  readonly workloadsFolder: string;
  readonly logsFolder: string;
  /** `systemClock` when left out. */
  readonly clock?: Clock;
}

/** What the owner is told. */
export interface ProxyEvents {
  onReady(ready: boolean): void;
  onDown(reason: string, retryMs: number): void;
  /** Something a person should read. */
  onNote(text: string): void;
}

/** The environment of Weft's own programs: nothing that redirects their traffic. */
export function ownEnvironment(inherited: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const { NODE_USE_ENV_PROXY: _useProxy, NODE_COMPILE_CACHE: _cache, NODE_TEST_CONTEXT: _test, ...env } = inherited;
  return env;
}

/** The folder of one workload's own files. */
export function workloadFolder(folder: string, workload: Pick<Workload, 'name' | 'namespace'>): string {
  return join(folder, `${workload.namespace}.${workload.name}`);
}

/** Path of a workload's log; its proxy's has `.proxy` in the name. */
export function logPath(folder: string, workload: Workload, isProxy: boolean): string {
  return join(folder, `${workload.namespace}.${workload.name}${isProxy ? '.proxy' : ''}.log`);
}

/** A proxy that is kept running. */
export class ProxyProcess {
  readonly log: string;
  private readonly workload: Workload;
  private readonly settings: ProxySettings;
  private readonly events: ProxyEvents;
  private readonly keeper: Keeper;
  private readonly folder: string;
  private readonly token: JoinToken;
  private readonly roots: RootWatch;
  private ports: ProxyPorts;
  private ready = false;
  private run = 0;

  constructor(workload: Workload, ports: ProxyPorts, settings: ProxySettings, events: ProxyEvents) {
    this.workload = workload;
    this.ports = ports;
    this.settings = settings;
    this.events = events;
    this.folder = workloadFolder(settings.workloadsFolder, workload);
    this.log = logPath(settings.logsFolder, workload, true);
    this.token = this.makeToken();
    const { controlPlane, clock = systemClock } = settings;
    this.roots = new RootWatch(controlPlane.rootFile, clock, () => this.onOtherRoot());
    this.keeper = new Keeper(() => this.startChild(), {
      onStarted: () => this.onStarted(),
      onDown: (reason, retryMs) => this.onDown(reason, retryMs),
    });
  }

  get restarts(): number {
    return this.keeper.restarts;
  }

  get pid(): number | null {
    return this.keeper.pid;
  }

  start(): void {
    this.keeper.start();
  }

  /** Other ports from the next start on. */
  setPorts(ports: ProxyPorts): void {
    this.ports = ports;
  }

  /** Ends the process gracefully; it is started again at once. */
  async restart(graceMs: number): Promise<void> {
    await this.keeper.restart(graceMs);
  }

  async stop(graceMs: number): Promise<void> {
    this.run++;
    this.token.stop();
    this.roots.stop();
    await this.keeper.stop(graceMs);
  }

  /** For one that was stopped and never comes again: its certificate's key and its bootstrap need not stay. */
  removeFiles(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** For one whose name never comes again. */
  removeLog(): void {
    removeLog(this.log);
  }

  private get tokenFile(): string {
    return join(this.folder, 'join-token');
  }

  private makeToken(): JoinToken {
    const { client, controlPlane, clock = systemClock } = this.settings;
    const { namespace, serviceAccount, adminPort } = this.workload;
    return new JoinToken({
      path: this.tokenFile,
      identity: spiffeId(controlPlane.trustDomain, namespace, serviceAccount),
      adminPort,
      client,
      clock,
      onNote: (text) => this.events.onNote(text),
    });
  }

  private async startChild(): Promise<Child> {
    const { controlPlane, proxyEntry } = this.settings;
    const bootstrapFile = join(this.folder, 'bootstrap.json');
    makeFolder(this.folder, 0o700);
    await this.token.write();
    writePrivate(
      bootstrapFile,
      JSON.stringify(proxyBootstrap(this.workload, this.ports, controlPlane, this.tokenFile), null, 2),
    );
    return startOwnChild({
      command: [...proxyNodeFlags, proxyEntry, '-c', bootstrapFile, '--drain-time-s', String(drainSeconds)],
      env: ownEnvironment(),
      workingFolder: this.folder,
      output: this.log,
    });
  }

  private onStarted(): void {
    this.token.watch();
    this.roots.start();
    void this.awaitReady(++this.run);
  }

  private async awaitReady(run: number): Promise<void> {
    while (run === this.run) {
      if (await isReady(this.workload.adminPort)) {
        if (run === this.run) this.setReady(true);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, readyPollMs));
    }
  }

  private onDown(reason: string, retryMs: number): void {
    this.run++;
    this.token.stop();
    this.roots.stop();
    this.setReady(false);
    this.events.onDown(reason, retryMs);
  }

  private onOtherRoot(): void {
    this.events.onNote('the mesh has another root; the proxy is started again to get a certificate of it');
    void this.keeper.restart(restartGraceMs);
  }

  private setReady(ready: boolean): void {
    if (this.ready === ready) return;
    this.ready = ready;
    this.events.onReady(ready);
  }
}

/** Whether a proxy's admin interface says that it serves. */
export function isReady(adminPort: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = get({ host: '127.0.0.1', port: adminPort, path: '/ready', agent: false, timeout: 2000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.on('close', () => resolve(false));
  });
}
