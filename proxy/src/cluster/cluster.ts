// One running cluster: its hosts, how one is picked, its limits and statistics. Made from one version of its configuration and
// replaced by the next; hosts come and go by discovery.

import type { envoy } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import type { Headers } from '@weft/lib/header';
import type { Origin } from '@weft/lib/issue';
import type { Counter, Scope } from '@weft/lib/metrics';
import { type Fault, fault } from '../fault/fault.ts';
import type { DescriptorWatch } from '../io/descriptor-watch.ts';
import type { UpstreamNames, UpstreamTls } from '../security/upstream-tls.ts';
import { Balancer } from './balancer/balancer.ts';
import type { Random } from './balancer/picker.ts';
import { type BreakerCells, Breakers, type SharedCounts } from './breaker/breakers.ts';
import type { ClusterConfig, ClusterType, KeepAlive } from './cluster-config.ts';
import { ClusterStats } from './cluster-stats.ts';
import type { AssignmentSpec, EndpointSpec } from './endpoint-spec.ts';
import { Host, noNames } from './host.ts';
import { groupByPriority, HostDirectory } from './host-directory.ts';
import { OriginalDstHosts } from './original-dst.ts';
import { OutlierDetector } from './outlier/outlier-detector.ts';
import type { UpstreamProtocol } from './protocol-options.ts';
import { type SourceAddress, sourceFor } from './source-address.ts';
import type { EndpointTransport } from './transport.ts';

/** What a request says about where it may go. */
export interface PickContext {
  /** By the route's hash policies. */
  readonly hash: number | null;
  /** `ip:port` or `name:port`, for ORIGINAL_DST. */
  readonly originalDestination: string | null;
  /** For the destination header of ORIGINAL_DST, as is the request's authority. */
  readonly headers: Headers | null;
  readonly authority?: string;
  /** Hosts to avoid if others can be found, or null. */
  readonly attempted: readonly Host[] | null;
  /** The exchange's own draw, in [0, 1); balancers that must not repeat it draw their own. */
  readonly random?: number;
  /** How often to look for another host before an attempted one is taken; once when absent. */
  readonly hostAttempts?: number;
}

export interface ClusterRuntime {
  readonly clock: Clock;
  readonly random: Random;
  /** Null where this thread is the only worker. */
  readonly shared: SharedCounts | null;
  /** Told when there is no file descriptor for a connection. */
  readonly descriptors?: DescriptorWatch | undefined;
}

/** What is offered where the endpoint is to choose. */
const negotiableProtocols: readonly string[] = ['h2', 'http/1.1'];

export class Cluster {
  readonly name: string;
  readonly type: ClusterType;
  readonly config: ClusterConfig;
  readonly origin: Origin | null;
  /** What the configuration hung onto it, for access logs. */
  readonly metadata: envoy.config.core.v3.Metadata | null;
  readonly connectTimeoutMs: number;
  readonly bufferLimitBytes: number;
  readonly protocol: UpstreamProtocol;
  readonly idleTimeoutMs: number;
  readonly maxRequestsPerConnection: number;
  readonly maxConnectDurationMs: number;
  readonly maxStreamDurationMs: number;
  readonly keepAlive: KeepAlive | null;
  private readonly sources: readonly SourceAddress[] | null;
  /** The cluster's own; a host may differ (`Host.tls`). */
  readonly tls: UpstreamTls | null;
  readonly scope: Scope;
  readonly stats: ClusterStats;
  /** Of routes with normal priority. */
  readonly breakers: Breakers;
  readonly highBreakers: Breakers;
  hosts: readonly Host[] = [];
  /** Set when the endpoints are internal listeners: the name of the first. */
  internalListener: string | null = null;
  private dropChance = 0;
  readonly random: Random;
  readonly descriptors: DescriptorWatch | null;
  private readonly healthyPanic: Counter;
  private readonly balancer: Balancer;
  private readonly directory: HostDirectory;
  private readonly detector: OutlierDetector | null;
  private readonly originalDst: OriginalDstHosts | null;

  constructor(config: ClusterConfig, runtime: ClusterRuntime) {
    this.name = config.name;
    this.type = config.type;
    this.config = config;
    this.origin = config.origin;
    this.metadata = config.message.metadata ?? null;
    this.connectTimeoutMs = config.connectTimeoutMs;
    this.bufferLimitBytes = config.bufferLimitBytes;
    this.protocol = config.protocol.protocol;
    this.idleTimeoutMs = config.protocol.idleTimeoutMs;
    this.maxRequestsPerConnection = config.protocol.maxRequestsPerConnection;
    this.maxConnectDurationMs = config.protocol.maxConnectDurationMs;
    this.maxStreamDurationMs = config.protocol.maxStreamDurationMs;
    this.keepAlive = config.keepAlive;
    this.sources = config.sources;
    this.tls = config.transport.tls;
    this.scope = config.scope;
    this.stats = new ClusterStats(config.scope);
    const normal = sharedCells(config.name, runtime.shared, 0);
    const high = sharedCells(config.name, runtime.shared, 4);
    this.breakers = new Breakers(config.breakers.normal, config.scope, 'default', normal);
    this.highBreakers = new Breakers(config.breakers.high, config.scope, 'high', high);
    this.random = runtime.random;
    this.descriptors = runtime.descriptors ?? null;
    this.healthyPanic = config.scope.counter('lb_healthy_panic');
    this.balancer = new Balancer(config.balancer, runtime.random);
    this.directory = new HostDirectory(this);
    const onHealthChanged = (): void => this.onHealthChanged();
    const { clock, random } = runtime;
    this.detector =
      config.outlier === null
        ? null
        : new OutlierDetector(config.outlier, { clock, random, scope: config.scope, onHealthChanged });
    this.originalDst = config.originalDst === null ? null : new OriginalDstHosts(this, config.originalDst, clock);
  }

  /** The local address from which to connect to that one; null leaves it to the system. */
  sourceFor(address: string): SourceAddress | null {
    return this.sources === null ? null : sourceFor(this.sources, address);
  }

  /**
   * Why the control plane wants this request dropped (EDS: `drop_overloads`), or null. Drawn once per request: a retry is none of its
   * own.
   */
  drawDrop(): Fault | null {
    const { dropChance } = this;
    if (dropChance <= 0 || this.random() >= dropChance) return null;
    this.scope.counter('upstream_rq_drop_overload').inc();
    return dropChance >= 1 ? fault.unconditional_drop_overload : fault.drop_overload;
  }

  /** The host for one attempt, or null when there is none to send to. */
  pick(context: PickContext): Host | null {
    if (this.originalDst !== null) return this.originalDst.pick(context);
    const host = this.balancer.pick(context.hash);
    if (this.balancer.isPanicking) this.healthyPanic.value++;
    if (host === null) this.stats.upstreamCxNoneHealthy.value++;
    const { attempted } = context;
    if (attempted === null || attempted.length === 0 || host === null || !attempted.includes(host)) return host;
    return this.pickAnother(host, attempted, context.hostAttempts ?? 1);
  }

  // Without the hash: it would lead to the same host for ever.
  private pickAnother(first: Host, attempted: readonly Host[], attempts: number): Host {
    let host = first;
    for (let i = 0; i < attempts && attempted.includes(host); i++) host = this.balancer.pick(null) ?? host;
    return host;
  }

  /** Whether requests are spread over unhealthy hosts too. */
  get isPanicking(): boolean {
    return this.balancer.isPanicking;
  }

  /** Every host there is now, also those made on demand. */
  allHosts(): readonly Host[] {
    return this.originalDst === null ? this.hosts : this.originalDst.all();
  }

  /** Takes over new endpoints. Hosts whose address stays keep their connections and counts. */
  setAssignment(assignment: AssignmentSpec): void {
    const { hosts, changes } = this.directory.update(assignment);
    this.hosts = hosts;
    this.dropChance = assignment.dropChance;
    this.internalListener = hosts[0]?.internalListener ?? null;
    this.balancer.setLevels(groupByPriority(assignment, this.directory), assignment);
    this.onMembership(hosts.length, changes);
  }

  /** A host of this cluster, watched for outliers where that is configured. */
  makeHost(spec: EndpointSpec): Host {
    const transport = this.transportFor(spec);
    const host = new Host(this, spec, transport, transport.tls === null ? noNames : this.tlsNamesFor(spec));
    if (this.detector !== null) host.outlier = this.detector.add(host);
    return host;
  }

  /** How connections to that endpoint begin. */
  transportFor(spec: EndpointSpec): EndpointTransport {
    return this.config.transport.choose(spec.metadata);
  }

  private tlsNamesFor(spec: EndpointSpec): UpstreamNames {
    const { isAutoSni, isAutoSanValidated } = this.config.protocol;
    const offer = this.protocol === 'auto' ? { alpnProtocols: negotiableProtocols } : noNames;
    if (!(isAutoSni || isAutoSanValidated)) return offer;
    const { hostname, address } = spec;
    return {
      ...offer,
      ...(isAutoSni && hostname !== '' ? { serverName: hostname } : {}),
      // Of an endpoint without a name the certificate must have the address.
      ...(isAutoSanValidated ? { expectedHost: hostname || address } : {}),
    };
  }

  private onHealthChanged(): void {
    this.balancer.invalidate();
    this.showMembership();
  }

  /** Shows how many hosts there are after so many priorities changed. */
  onMembership(total: number, changes: number): void {
    this.scope.gauge('membership_total').set(total);
    if (changes > 0) this.scope.counter('membership_change').add(changes);
    this.showMembership();
  }

  private showMembership(): void {
    // Destinations come one by one: counting them all each time would be for nothing, as only ejection makes one unhealthy.
    if (this.originalDst !== null && this.detector === null) {
      this.scope.gauge('membership_healthy').set(this.originalDst.size);
      return;
    }
    let healthy = 0;
    let degraded = 0;
    for (const host of this.allHosts()) {
      if (!host.healthy) continue;
      if (host.health === 'degraded') degraded++;
      else healthy++;
    }
    this.scope.gauge('membership_healthy').set(healthy);
    this.scope.gauge('membership_degraded').set(degraded);
  }

  /** Brings the gauges of the breakers up to date, where they count in other threads too. */
  showBreakers(): void {
    this.breakers.show();
    this.highBreakers.show();
  }

  /** Replaced or removed: hosts finish what runs. */
  dispose(): void {
    this.originalDst?.stop();
    for (const host of this.hosts) host.remove();
    this.detector?.stop();
  }
}

// All versions of a cluster count in the same cells: what an old one still holds is still held.
function sharedCells(cluster: string, shared: SharedCounts | null, firstLimit: number): BreakerCells | null {
  return shared === null ? null : { cells: shared.cellsOf(cluster), slot: shared.slot, firstLimit };
}
