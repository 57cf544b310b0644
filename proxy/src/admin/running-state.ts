// The admin pages' view of a running proxy.

import type { envoy, google } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import type { LogControl } from '@weft/lib/log';
import type { MetricsRegistry } from '@weft/lib/metrics';
import { type MessageName, packAny, unpackAny } from '@weft/lib/protobuf/codec';
import type { DrainScope } from '../listener/listener-set.ts';
import type { RunningProxy } from '../proxy.ts';
import type { DecisionView } from '../telemetry/decisions.ts';
import { countOpenBytes } from '../upstream/connection-record.ts';
import { managersOf } from '../xds/route-names.ts';
import { reportCertificates } from './certificate-report.ts';
import { reportClusters } from './cluster-report.ts';
import { dumpIdentity } from './identity-dump.ts';
import type {
  AdminState,
  CertificatesReport,
  ClusterReport,
  DrainOptions,
  ListenerReport,
  MemoryReport,
  PageWait,
  ResourceDump,
  ResourceKind,
  ServerState,
  UnreadyReport,
} from './state.ts';

export const weftVersion = '0.1.0';

type RouteConfiguration = envoy.config.route.v3.RouteConfiguration;

const typeNames = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  endpoint: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  route: 'envoy.config.route.v3.RouteConfiguration',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
} as const satisfies Partial<Record<ResourceKind, MessageName>>;

export class RunningState implements AdminState {
  readonly version = weftVersion;
  readonly clock: Clock;
  readonly startedWallMs: number;
  readonly configPath: string;
  metrics: MetricsRegistry;
  readonly logControl: LogControl;
  decisions: DecisionView;
  readonly bootstrap: envoy.config.bootstrap.v3.Bootstrap;
  protected readonly proxy: RunningProxy;

  constructor(proxy: RunningProxy) {
    this.proxy = proxy;
    this.clock = proxy.clock;
    this.startedWallMs = proxy.startedWallMs;
    this.configPath = proxy.configPath;
    this.metrics = proxy.metrics;
    this.logControl = proxy.log.control;
    this.decisions = proxy.decisions;
    this.bootstrap = proxy.bootstrap;
  }

  get concurrency(): number {
    return 1;
  }

  get wait(): PageWait | null {
    return null;
  }

  /** Client connections under way. */
  get connections(): number {
    return this.proxy.listeners.connections;
  }

  /** Lines of access logs since the start. */
  accessLogLines(): { written: number; dropped: number } {
    return { written: this.proxy.sinks.writtenLines, dropped: this.proxy.sinks.droppedLines };
  }

  memory(): MemoryReport {
    return process.memoryUsage();
  }

  serverState(): ServerState {
    if (this.proxy.isDraining || this.proxy.health.isFailed) return 'DRAINING';
    return this.proxy.isReady ? 'LIVE' : 'INITIALIZING';
  }

  resources(kind: ResourceKind): readonly ResourceDump[] {
    const own = kind === 'secret' ? dumpIdentity(this.proxy.secrets.all()) : [];
    return [...this.staticResources(kind), ...own, ...(this.proxy.dynamic?.resources(kind) ?? [])];
  }

  private staticResources(kind: ResourceKind): ResourceDump[] {
    const resources = this.bootstrap.staticResources;
    if (kind === 'cluster') return this.dumpStatic(typeNames.cluster, resources?.clusters ?? []);
    if (kind === 'listener') return this.dumpStatic(typeNames.listener, resources?.listeners ?? []);
    if (kind === 'secret') return this.dumpStatic(typeNames.secret, resources?.secrets ?? []);
    if (kind === 'route') return this.dumpStatic(typeNames.route, this.inlineRoutes());
    return (resources?.clusters ?? []).flatMap(({ name, loadAssignment }) =>
      loadAssignment === undefined ? [] : [this.dumpOne(name, packAny(typeNames.endpoint, loadAssignment))],
    );
  }

  // As Envoy: those that stand in listeners, whoever the listeners are from.
  private inlineRoutes(): RouteConfiguration[] {
    const dynamic = (this.proxy.dynamic?.resources('listener') ?? []).flatMap(({ stage, resource }) =>
      resource === null || stage !== 'active' ? [] : [unpackAny(resource, typeNames.listener)],
    );
    return [...(this.bootstrap.staticResources?.listeners ?? []), ...dynamic]
      .flatMap(managersOf)
      .flatMap(({ routeConfig }) => routeConfig ?? []);
  }

  private dumpStatic(
    typeName: (typeof typeNames)[keyof typeof typeNames],
    list: readonly { readonly name?: string | undefined }[],
  ): ResourceDump[] {
    return list.map((message) => this.dumpOne(message.name, packAny(typeName, message)));
  }

  private dumpOne(name: string | undefined, resource: google.protobuf.Any): ResourceDump {
    return {
      name: name ?? '',
      stage: 'static',
      resource,
      version: '',
      updatedWallMs: this.startedWallMs,
      clientStatus: 'ACKED',
      refused: null,
    };
  }

  versionInfo(kind: ResourceKind): string {
    return this.proxy.dynamic?.versionInfo(kind) ?? '';
  }

  clusters(): readonly ClusterReport[] {
    const fixed = new Set((this.bootstrap.staticResources?.clusters ?? []).map((cluster) => cluster.name));
    return reportClusters(this.proxy.clusters.dump(), (name) => fixed.has(name));
  }

  listeners(): readonly ListenerReport[] {
    return this.proxy.listeners.all().map(({ compiled, port }) => {
      const { address } = compiled;
      if (address === null) return { name: compiled.name, address: '', port: 0 };
      if ('path' in address) return { name: compiled.name, address: address.path, port: 0 };
      return { name: compiled.name, address: address.host, port: port || address.port };
    });
  }

  certificates(): readonly CertificatesReport[] {
    return reportCertificates(this.proxy.secrets.all());
  }

  unready(): readonly UnreadyReport[] {
    return this.proxy.unready();
  }

  refreshMetrics(): void {
    countOpenBytes();
    const { metrics } = this.proxy;
    const server = metrics.scope({ prefix: 'server' });
    server.gauge('uptime').set(Math.floor((this.clock.wallMs() - this.startedWallMs) / 1000));
    server.gauge('live').set(this.proxy.isReady ? 1 : 0);
    server.gauge('total_connections').set(this.connections);
    server.gauge('memory_allocated').set(this.memory().heapUsed);
    server.gauge('concurrency').set(this.concurrency);
    const accessLog = metrics.scope({ prefix: 'access_log' });
    const { written, dropped } = this.accessLogLines();
    accessLog.counter('lines_written').value = written;
    accessLog.counter('lines_dropped').value = dropped;
  }

  drainListeners(options: DrainOptions): void {
    const { clock, drainTimeMs } = this.proxy;
    const scope = options.isInboundOnly ? 'inbound' : 'all';
    this.drain(scope);
    const stop = (): void => this.stopAccepting(scope);
    if (!options.isGraceful) stop();
    else if (!options.staysOpen) clock.start(drainTimeMs, stop, undefined);
  }

  protected drain(scope: DrainScope): void {
    if (scope === 'all') this.proxy.drain();
    else this.proxy.listeners.drain(scope);
  }

  protected stopAccepting(scope: DrainScope): void {
    this.proxy.listeners.stopAccepting(scope);
  }

  quit(): void {
    this.proxy.quit();
  }

  setHealthCheckFailed(isFailed: boolean): void {
    this.proxy.health.isFailed = isFailed;
  }
}
