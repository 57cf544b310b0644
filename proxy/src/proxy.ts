// Composition root of the data plane: makes the parts in order, ties configuration to them, and takes them down again.

import type { envoy } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import { messageOf, stackOf, WeftError } from '@weft/lib/error';
import { formatIssue, hasErrors, type Issue } from '@weft/lib/issue';
import type { Log } from '@weft/lib/log';
import { MetricsRegistry } from '@weft/lib/metrics';
import type { AdminServer } from './admin/server.ts';
import type { AdminState } from './admin/state.ts';
import { readConnectionMaxima } from './bootstrap/connection-maxima.ts';
import { readRuntime } from './bootstrap/runtime.ts';
import { readSecretFile } from './bootstrap/secret-file.ts';
import { readWorkerWatchdog } from './bootstrap/watchdog.ts';
import type { SharedCounts } from './cluster/breaker/breakers.ts';
import { ClusterSet } from './cluster/cluster-set.ts';
import { type DnsResolver, SystemResolver } from './cluster/dns/resolver.ts';
import { compileFilterOverride } from './http-filter/filters.ts';
import { containDefects } from './io/defect.ts';
import { DescriptorWatch } from './io/descriptor-watch.ts';
import { ConnectionLimits } from './listener/connection-limits.ts';
import type { ListenSockets } from './listener/listen-sockets.ts';
import { ListenerSet } from './listener/listener-set.ts';
import type { HealthState } from './network-filter/network-context.ts';
import type { CompileOverride } from './route/filter-override.ts';
import { RouteTableSet } from './route/route-table-set.ts';
import type { WorkloadIdentity } from './security/identity/workload-identity.ts';
import { SecretSet } from './security/secret-set.ts';
import { AccessLogSinks, type OpenTarget } from './telemetry/access-log-sinks.ts';
import { DecisionLog } from './telemetry/decisions.ts';
import type { Workers } from './worker/workers.ts';
import type { DynamicConfig } from './xds/dynamic-config.ts';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;

export interface StartOptions {
  readonly bootstrap: Bootstrap;
  readonly configPath: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Puts the place in the configuration file to findings; without it they have their path alone. */
  readonly locate?: (issues: readonly Issue[]) => Promise<readonly Issue[]>;
  /** Check everything and start nothing. */
  readonly onlyValidates?: boolean;
  /** How many workers carry traffic; 1 is this thread itself. */
  readonly concurrency?: number;
  /** How long clients that were asked to leave have for it; 30 s where it is not said. */
  readonly drainTimeMs?: number;
  /** What this thread shares with others of the process. */
  readonly thread?: ThreadParts;
  /** Tests give these. */
  readonly random?: () => number;
  readonly resolver?: DnsResolver;
}

/** Parts that another thread has a hand in; where one is missing, the thread has its own. */
export interface ThreadParts {
  readonly resolver?: DnsResolver;
  readonly sockets?: ListenSockets;
  readonly openTarget?: OpenTarget;
  readonly shared?: SharedCounts;
  readonly ticketSecret?: Buffer;
  /** Another thread has judged every change, by clusters that may be gone by now. */
  readonly isFollower?: boolean;
}

const defaultDrainTimeMs = 30_000;
/** How often a stopping proxy looks whether it is done. */
const stopPollMs = 20;
/** Connections that the kernel had accepted before the listeners close are still taken. */
const acceptGraceMs = 100;

/** Validation asks nobody. */
const silentResolver: DnsResolver = { resolve: () => new Promise(() => {}) };

/** One line tells of a defect, whatever comes upon it how often. */
const defectLogMs = 1000;

/** The parts of a running proxy. */
export class RunningProxy {
  readonly clock: Clock;
  readonly log: Log;
  readonly bootstrap: Bootstrap;
  readonly metrics: MetricsRegistry = new MetricsRegistry();
  readonly decisions: DecisionLog = new DecisionLog();
  readonly secrets: SecretSet;
  readonly clusters: ClusterSet;
  readonly routes: RouteTableSet;
  readonly listeners: ListenerSet;
  readonly sinks: AccessLogSinks;
  readonly startedWallMs: number;
  readonly configPath: string;
  readonly drainTimeMs: number;
  admin: AdminServer | null = null;
  dynamic: DynamicConfig | null = null;
  identity: WorkloadIdentity | null = null;
  /** Null where this thread carries the traffic itself. */
  workers: Workers | null = null;
  isDraining = false;
  /** The control plane is asked, where there is one; the admin server answers before that. */
  hasStarted = false;
  private wasReady = false;
  /** Failed: load balancers are to turn away, and clients with them, while requests still go on. */
  readonly health: HealthState = { isFailed: false };
  private onQuit: (() => void) | null = null;
  private isQuitAsked = false;

  constructor(options: StartOptions) {
    const { clock, log } = options;
    const random = options.random ?? Math.random;
    this.clock = clock;
    this.log = log;
    this.bootstrap = options.bootstrap;
    this.configPath = options.configPath;
    this.drainTimeMs = options.drainTimeMs ?? defaultDrainTimeMs;
    this.startedWallMs = clock.wallMs();
    const { thread = {} } = options;
    this.sinks = new AccessLogSinks(clock, thread.openTarget);
    this.secrets = new SecretSet(clock, log.child('security'), thread.ticketSecret ?? null);
    this.secrets.readSecretFile = readSecretFile;
    const scope = this.metrics.scope({ prefix: 'file_descriptors' });
    const descriptors = new DescriptorWatch({ clock, log: log.child('descriptors'), scope });
    this.clusters = new ClusterSet({
      clock,
      random,
      metrics: this.metrics,
      secrets: this.secrets,
      resolver: resolverFor(options),
      shared: thread.shared ?? null,
      descriptors,
    });
    this.routes = new RouteTableSet({
      clock,
      clusters: this.clusters,
      hasCluster: thread.isFollower === true ? () => true : this.clusterCheck(),
      compileOverride: this.compileOverride(random),
    });
    this.listeners = new ListenerSet(clock, this.metrics.scope({ prefix: 'listener_manager' }), thread.sockets);
    const limits = new ConnectionLimits(readConnectionMaxima(options.bootstrap), thread.shared ?? null);
    this.listeners.use({
      clock,
      random,
      log: log.child('listener'),
      metrics: this.metrics,
      clusters: this.clusters,
      routes: this.routes,
      secrets: this.secrets,
      sinks: this.sinks,
      decisions: this.decisions,
      health: this.health,
      internal: this.listeners,
      runtime: readRuntime(options.bootstrap),
      descriptors,
      limitOf: (listener, ignoresAll) => limits.of(listener, ignoresAll),
    });
    this.routes.onRoutable(() => this.listeners.onDependencyChange());
    this.secrets.onReplaced = () => {
      this.listeners.onDependencyChange();
      // The stream to the control plane may have waited for just this certificate.
      this.dynamic?.retryNow();
    };
  }

  /** Lets a defect of ours cost the connection that met it; without this it ends the thread. */
  containDefects(): void {
    const failures = this.metrics.scope({ prefix: 'server' }).counter('envoy_bug_failures');
    let silentUntilMs = 0;
    containDefects((error) => {
      failures.inc();
      if (this.clock.now() < silentUntilMs) return;
      silentUntilMs = this.clock.now() + defectLogMs;
      this.log.error('a defect in Weft ended a connection; please report it', { error, details: stackOf(error) });
    });
  }

  // Those of the bootstrap count as there even when they are faulty: that is told already.
  private clusterCheck(): (name: string) => boolean {
    const known = new Set((this.bootstrap.staticResources?.clusters ?? []).map((cluster) => cluster.name));
    return (name) => known.has(name) || this.clusters.has(name);
  }

  private compileOverride(random: () => number): CompileOverride {
    const scope = this.metrics.scope({ prefix: 'http' });
    const { clock } = this;
    return (_name, config, { issues, path }, below) =>
      compileFilterOverride(config, { clock, random, scope, issues, path }, below);
  }

  /** Everything that must be there before traffic has been there. As Envoy: no later change makes a proxy that serves unready. */
  get isReady(): boolean {
    if (this.isDraining) return false;
    this.noteReadiness();
    return this.wasReady && (this.workers === null || this.workers.isAlive);
  }

  /** To be called before each change that could have somebody wait. */
  noteReadiness(): void {
    this.wasReady ||= this.isComplete;
  }

  /** Clusters are warm, listeners live, the control plane was heard. */
  private get isComplete(): boolean {
    if (!this.hasStarted) return false;
    if (this.dynamic !== null && !this.dynamic.isInitialized) return false;
    if (this.workers !== null && !this.workers.isReady) return false;
    return this.ownUnready().length === 0;
  }

  /** What is waited for, by kind. */
  unready(): readonly { readonly name: string; readonly targets: readonly string[] }[] {
    return [...this.ownUnready(), ...(this.workers?.unready() ?? [])];
  }

  private ownUnready(): { name: string; targets: string[] }[] {
    const clusters = this.clusters.all().filter((cluster) => !this.clusters.isServing(cluster.name));
    return [
      { name: 'clusters', targets: clusters.map((cluster) => cluster.name) },
      { name: 'listeners', targets: [...this.listeners.missingNames(), ...this.listeners.unboundNames()] },
    ].filter((group) => group.targets.length > 0);
  }

  reopenLogs(): void {
    this.sinks.reopen();
  }

  /** `/quitquitquit` asks for the end, perhaps while the proxy still starts. */
  quit(): void {
    this.isQuitAsked = true;
    this.onQuit?.();
  }

  /** Calls back whenever the end is asked for, also if it has been. */
  whenQuit(callback: () => void): void {
    this.onQuit = callback;
    if (this.isQuitAsked) callback();
  }

  /** Asks clients to leave without ending anything yet. */
  drain(): void {
    this.isDraining = true;
    this.listeners.drain();
  }

  /** Ends in order: what runs finishes, at most `drainTimeMs`; then what is left is cut. */
  async stop(drainTimeMs: number): Promise<void> {
    this.log.info('stopping', { count: this.listeners.connections });
    this.drain();
    await this.workers?.stop(drainTimeMs);
    const deadlineMs = this.clock.now() + drainTimeMs;
    await this.wait(Math.min(acceptGraceMs, drainTimeMs));
    this.listeners.stopAccepting();
    while (this.listeners.connections > 0 && this.clock.now() < deadlineMs) await this.wait(stopPollMs);
    this.listeners.closeAll();
    this.identity?.stop();
    this.dynamic?.stop();
    this.clusters.dispose();
    this.secrets.close();
    await this.admin?.close();
    await this.sinks.flush();
    this.log.info('stopped');
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.start(ms, resolve, undefined);
    });
  }
}

/** Starts a proxy; rejects with a WeftError that holds every issue when the bootstrap cannot be carried out. */
export async function startProxy(options: StartOptions): Promise<RunningProxy> {
  const { bootstrap, log } = options;
  const workers = await makeWorkers(options);
  const proxy = new RunningProxy(workers === null ? options : { ...options, thread: workers.parts });
  workers?.attach(proxy);
  proxy.workers = workers;
  const found = applyBootstrap(proxy, options.onlyValidates === true);
  const issues = found.length === 0 || options.locate === undefined ? found : await options.locate(found);
  refuseErrors(issues);
  for (const issue of issues) log.warn(formatIssue(issue));
  if (options.onlyValidates === true) return proxy;
  await startAdmin(proxy, bootstrap);
  if (workers !== null) await Promise.all([workers.start(), boundStaticListeners(proxy)]);
  await startDynamicParts(proxy, bootstrap);
  proxy.hasStarted = true;
  await boundStaticListeners(proxy);
  log.info('started', {
    node: bootstrap.node?.id ?? '',
    count: proxy.listeners.all().length,
    address: proxy.admin === null ? '' : `${proxy.admin.address}:${proxy.admin.port}`,
  });
  return proxy;
}

const unwatchedMessage =
  'worker_watchdog ends no worker where there is one: start with --concurrency 2 or more, or let a supervisor ask /ready';

function wantsKill(bootstrap: Bootstrap): boolean {
  const { killMs, multiKillMs } = readWorkerWatchdog(bootstrap);
  return killMs > 0 || multiKillMs > 0;
}

/** Loaded only where there are several: one worker is this thread. */
async function makeWorkers(options: StartOptions): Promise<Workers | null> {
  const { concurrency: count = 1, log, random = Math.random, resolver } = options;
  if (count === 1 && wantsKill(options.bootstrap)) log.warn(unwatchedMessage);
  if (count === 1 || options.onlyValidates === true) return null;
  const { Workers } = await import('./worker/workers.ts');
  return new Workers({ count, log, random, resolver });
}

/** Carries the bootstrap's own resources out, as far as nothing is wrong with them, and returns every finding. */
export function applyBootstrap(proxy: RunningProxy, onlyValidates = false): Issue[] {
  const issues: Issue[] = [];
  applyStatic(proxy, proxy.bootstrap, onlyValidates, issues);
  return issues;
}

/** Throws a WeftError that holds every error; does nothing when there is none. */
export function refuseErrors(issues: readonly Issue[]): void {
  const errors = issues.filter((issue) => issue.level === 'error');
  if (errors.length > 0) throw new WeftError('config', errors.map(formatIssue).join('\n'));
}

function resolverFor(options: StartOptions): DnsResolver {
  if (options.onlyValidates === true) return silentResolver;
  return options.thread?.resolver ?? options.resolver ?? new SystemResolver();
}

type Named = { readonly name?: string | undefined };

function nameAt(one: Named, index: number): string {
  return one.name || `static_${index}`;
}

function byName<T extends Named>(list: readonly T[] = []): Map<string, T> {
  return new Map(list.map((one, i) => [nameAt(one, i), { ...one, name: nameAt(one, i) }]));
}

/** Where they stand in the bootstrap. */
function pathsOf(field: string, list: readonly Named[] = []): (name: string) => string {
  const indices = new Map(list.map((one, i) => [nameAt(one, i), i]));
  return (name) => `static_resources.${field}[${indices.get(name)}]`;
}

// Secrets before what refers to them, clusters before routes, listeners last.
function applyStatic(proxy: RunningProxy, bootstrap: Bootstrap, onlyValidates: boolean, issues: Issue[]): void {
  const { secrets, clusters, listeners } = bootstrap.staticResources ?? {};
  const steps = [
    () => proxy.secrets.prepare(byName(secrets), [], 'static', pathsOf('secrets', secrets)),
    () => proxy.clusters.prepare(byName(clusters), [], 'static', pathsOf('clusters', clusters)),
    () => proxy.listeners.prepare(byName(listeners), [], 'static', pathsOf('listeners', listeners)),
  ];
  if ((bootstrap.bootstrapExtensions ?? []).length > 0) proxy.secrets.provideLocally(['default', 'ROOTCA']);
  for (const step of steps) {
    const prepared = step();
    issues.push(...prepared.issues);
    const isLast = step === steps.at(-1);
    if (!hasErrors(prepared.issues) && !(onlyValidates && isLast)) prepared.commit();
  }
}

// Loaded only where they are wanted: a static proxy does without HTTP/2 sessions and an admin server.
async function startDynamicParts(proxy: RunningProxy, bootstrap: Bootstrap): Promise<void> {
  if ((bootstrap.bootstrapExtensions ?? []).length > 0) {
    const { startWorkloadIdentity } = await import('./security/identity/workload-identity.ts');
    proxy.identity = startWorkloadIdentity(bootstrap, proxy);
  }
  if (bootstrap.dynamicResources?.adsConfig === undefined) return;
  const { startDynamicConfig } = await import('./xds/dynamic-config.ts');
  proxy.dynamic = startDynamicConfig(bootstrap, proxy);
}

async function startAdmin(proxy: RunningProxy, bootstrap: Bootstrap): Promise<void> {
  const socket = bootstrap.admin?.address?.socketAddress;
  if (socket === undefined) return;
  const { address = '127.0.0.1', portValue: port = 0 } = socket;
  const [state, { startAdminServer }] = await Promise.all([makeState(proxy), import('./admin/server.ts')]);
  try {
    proxy.admin = await startAdminServer({ address, port, state, log: proxy.log.child('admin') });
  } catch (error) {
    throw new WeftError('admin', `the admin server cannot listen on ${address}:${port}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function makeState(proxy: RunningProxy): Promise<AdminState> {
  const { workers } = proxy;
  if (workers === null) return new (await import('./admin/running-state.ts')).RunningState(proxy);
  return new (await import('./worker/workers-state.ts')).WorkersState(proxy, workers);
}

// A static listener that cannot bind is a mistake that waiting does not mend.
export function boundStaticListeners(proxy: RunningProxy): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      const states = proxy.listeners.all().filter((one) => one.compiled.version === 'static' && one.state === 'active');
      const failed = states.find((one) => one.bindError !== null);
      if (failed?.bindError != null) reject(new WeftError('bind', failed.bindError));
      else if (states.every((one) => one.isBound)) resolve();
    };
    proxy.listeners.onStateChange = check;
    check();
  });
}
