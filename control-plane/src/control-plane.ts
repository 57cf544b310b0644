// Composes the control plane: files → store → model → translation → discovery, and beside it the mesh API and the certificate authority.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type Clock, systemClock, type Timer } from '@weft/lib/clock';
import { makeFolder } from '@weft/lib/disk/make-folder';
import { messageOf, WeftError } from '@weft/lib/error';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { formatKubeconfig } from './mesh-api/kubeconfig.ts';
import { MeshApi } from './mesh-api/mesh-api.ts';
import { meshRoutes } from './mesh-routes.ts';
import { buildMesh, type MeshModel } from './model/mesh.ts';
import { defaultSettings, type MeshSettings } from './model/settings.ts';
import { checkWorld } from './resource/check-world.ts';
import type { CheckContext } from './resource/mesh-index.ts';
import { overlayIssues } from './resource/overlay-finding.ts';
import { MeshSecurity } from './security.ts';
import { type FileSnapshot, FileSource } from './source/file/file-source.ts';
import { memoryPersistence } from './store/persistence.ts';
import { ResourceStore } from './store/resource-store.ts';
import { openSqlitePersistence } from './store/sqlite-persistence.ts';
import type { World } from './store/world.ts';
import type { PublishDelay } from './store/world-publisher.ts';
import { type AdsLog, AdsServer, adsServerOptions, adsService } from './xds/ads-server.ts';

export interface ControlPlaneOptions {
  /** Directory of resource files, watched; null for none. */
  readonly configDirectory: string | null;
  /** Where resources, keys and join tokens are kept over restarts; null keeps resources in memory, and needs `plaintext`. */
  readonly stateDirectory: string | null;
  /** Bearer token of the mesh API. */
  readonly token: string;
  /** 0 for any free port. */
  readonly apiPort: number;
  readonly xdsPort: number;
  /** Address of both ports; loopback unless said otherwise. */
  readonly host?: string;
  readonly settings?: Partial<MeshSettings>;
  /** Discovery without TLS and without proof of identity, no certificate authority: for tests and meshes without mutual TLS. */
  readonly plaintext?: boolean;
  /** Directory of a certificate authority to use; made in the state directory when left out. */
  readonly authorityDirectory?: string | null;
  readonly certificateTtlMs?: number;
  readonly version?: string;
  readonly clock?: Clock;
  readonly log?: AdsLog;
  /** How changes are gathered; 20 ms of quiet and 500 ms at most unless said otherwise. */
  readonly publishDelay?: PublishDelay;
}

const silent: AdsLog = { info: () => {}, warn: () => {}, error: () => {} };
const shutdownMs = 2000;
/** After a write of the store failed. */
const retryMs = 2000;

/** Starts everything; resolves when both ports are open. Throws `WeftError`. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const plane = new ControlPlane(options);
  try {
    await plane.start();
  } catch (error) {
    await plane.close();
    throw error;
  }
  return plane;
}

export class ControlPlane {
  readonly store: ResourceStore;
  readonly ads: AdsServer;
  /** The ports that are really open. */
  apiPort = 0;
  xdsPort = 0;
  private readonly options: ControlPlaneOptions;
  private readonly clock: Clock;
  private readonly log: AdsLog;
  private readonly settings: MeshSettings;
  private readonly grpc = new Server(adsServerOptions);
  private source: FileSource | null = null;
  private security: MeshSecurity | null = null;
  private api: MeshApi | null = null;
  private mesh: MeshModel | null = null;
  private fileIssues: readonly Issue[] = [];
  private retry: Timer | null = null;
  private isClosed = false;

  constructor(options: ControlPlaneOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? silent;
    this.settings = { ...defaultSettings, ...options.settings };
    const { stateDirectory } = options;
    if (stateDirectory !== null) makeStateDirectory(stateDirectory);
    this.store = new ResourceStore({
      persistence:
        stateDirectory === null ? memoryPersistence : openSqlitePersistence(join(stateDirectory, 'store.db')),
      clock: this.clock,
      delay: options.publishDelay ?? { quietMs: 20, maxWaitMs: 500 },
    });
    this.ads = new AdsServer({
      clock: this.clock,
      log: this.log,
      identify: options.plaintext === true ? null : (call) => this.security?.callers.byCertificate(call) ?? null,
    });
  }

  async start(): Promise<void> {
    await this.startSecurity();
    await this.startSource();
    this.store.onWorld((world) => this.takeWorld(world));
    this.takeWorld(this.store.world);
    await this.startDiscovery();
    await this.startApi();
    const { apiPort, xdsPort } = this;
    this.log.info({ apiPort, xdsPort, revision: this.store.revision }, 'control plane is ready');
  }

  /** Findings about files, and about how the resources fit together. */
  issues(): readonly Issue[] {
    return [...this.sourceIssues(), ...checkWorld(this.store.world, this.checkContext())];
  }

  private sourceIssues(): readonly Issue[] {
    return [...this.fileIssues, ...this.store.overlays().flatMap(overlayIssues)];
  }

  /** Closes ports and files; what was acknowledged is on disk. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.source?.close();
    this.retry?.stop();
    this.ads.close();
    await this.api?.close();
    await this.closeDiscovery();
    this.security?.close();
    this.store.close();
  }

  private async startSecurity(): Promise<void> {
    const { stateDirectory, plaintext, authorityDirectory = null, certificateTtlMs } = this.options;
    if (plaintext === true) return;
    if (stateDirectory === null) {
      throw new WeftError(
        'WEFT0620',
        'a control plane with mutual TLS needs a state directory for its authority; give --state DIR',
      );
    }
    this.security = await MeshSecurity.start({
      stateDirectory,
      authorityDirectory,
      trustDomain: this.settings.trustDomain,
      ...(certificateTtlMs === undefined ? {} : { certificateTtlMs }),
      clock: this.clock,
      log: this.log,
    });
  }

  private async startSource(): Promise<void> {
    const { configDirectory } = this.options;
    if (configDirectory === null) {
      // Without a directory nothing of an earlier one stays in effect.
      this.store.replaceFiles([]);
      return;
    }
    this.source = new FileSource({
      directory: configDirectory,
      defaultNamespace: 'default',
      clock: this.clock,
      onChange: (snapshot) => this.takeFiles(snapshot),
      kept: this.store.fileResources(),
    });
    await this.source.start();
  }

  private takeFiles({ resources, issues }: FileSnapshot): void {
    if (this.isClosed) return;
    const told = new Set(this.fileIssues.map(formatIssue));
    this.fileIssues = issues;
    for (const issue of issues) {
      if (told.has(formatIssue(issue))) continue;
      const { code, level, path, message, origin } = issue;
      this.log.warn({ code, level, path, file: origin?.file, line: origin?.line }, message);
    }
    this.keepFiles(resources);
  }

  private keepFiles(resources: FileSnapshot['resources']): void {
    this.retry?.stop();
    try {
      this.store.replaceFiles(resources);
    } catch (error) {
      // A full disk, for instance: what was there stays until there is room.
      this.log.error({ err: error, retryMs }, 'the resources of the files could not be kept');
      this.retry = this.clock.start(retryMs, () => this.keepFiles(resources), null);
    }
  }

  private takeWorld(world: World): void {
    try {
      this.mesh = buildMesh(world, this.settings, this.mesh);
    } catch (error) {
      // A defect: the proxies keep what they have, and the next world is tried again.
      this.log.error({ err: error, revision: world.revision }, 'the mesh could not be built');
      return;
    }
    this.ads.setMesh(this.mesh);
  }

  private async startDiscovery(): Promise<void> {
    const { host = '127.0.0.1', xdsPort } = this.options;
    this.grpc.addService(adsService, this.ads.implementation);
    this.security?.addTo(this.grpc);
    const credentials = this.security?.credentials ?? ServerCredentials.createInsecure();
    this.xdsPort = await new Promise<number>((bound, failed) => {
      this.grpc.bindAsync(`${host}:${xdsPort}`, credentials, (error, port) => {
        if (error === null) bound(port);
        else failed(portError('WEFT0621', 'xDS', xdsPort, error));
      });
    });
  }

  private async startApi(): Promise<void> {
    const { token, version = '0.1.0', apiPort, host = '127.0.0.1' } = this.options;
    const certificate = (await this.security?.apiCertificate((renewed) => this.api?.renew(renewed))) ?? null;
    const tokens = this.security?.tokens ?? null;
    const parts = {
      ads: this.ads,
      store: this.store,
      issues: () => this.issues(),
      createToken: tokens === null ? null : (identity: string, ttlMs?: number) => tokens.create(identity, ttlMs),
    };
    this.api = new MeshApi({
      store: this.store,
      clock: this.clock,
      access: { token },
      version,
      checkContext: () => this.checkContext(),
      fileIssues: () => this.sourceIssues(),
      routes: meshRoutes(parts),
      certificate,
      onError: (error, request) => this.log.error({ err: error, request }, 'a request to the mesh API failed'),
    });
    try {
      this.apiPort = await this.api.listen(apiPort, host);
    } catch (error) {
      throw portError('WEFT0622', 'the mesh API', apiPort, error);
    }
  }

  private checkContext(): CheckContext {
    const { rootNamespaces, mutualTls } = this.settings;
    return { rootNamespaces, mutualTls, proxies: this.ads.nodes(), nowMs: this.clock.wallMs() };
  }

  private closeDiscovery(): Promise<void> {
    return new Promise((closed) => {
      const force = () => {
        this.grpc.forceShutdown();
        closed();
      };
      const timer = this.clock.start(shutdownMs, force, null);
      this.grpc.tryShutdown(() => {
        timer.stop();
        closed();
      });
    });
  }

  /** Writes the file with which kubectl finds the mesh API. */
  writeKubeconfig(path: string, tokenFile: string): void {
    if (this.security === null) return;
    const server = `https://127.0.0.1:${this.apiPort}`;
    const authority = this.security.authority.trustBundle;
    const text = formatKubeconfig({ server, authority, tokenFile: resolve(tokenFile), namespace: 'default' });
    writeFileSync(path, text, { mode: 0o600 });
  }
}

function makeStateDirectory(path: string): void {
  try {
    makeFolder(path, 0o700);
  } catch (cause) {
    const message = `the state directory ${path} cannot be made (${messageOf(cause)}); make it writable or give another with --state`;
    throw new WeftError('WEFT0626', message, { cause });
  }
}

function portError(code: string, what: string, port: number, cause: unknown): WeftError {
  return new WeftError(
    code,
    `port ${port} for ${what} cannot be opened (${messageOf(cause)}); stop what uses it or choose another`,
    {
      cause,
    },
  );
}
