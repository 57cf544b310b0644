// One name among the clusters: the version that serves and, while it warms, the newer one that will.

import type { Clock, Timer } from '@weft/lib/clock';
import type { DescriptorWatch } from '../io/descriptor-watch.ts';
import type { SecretSet } from '../security/secret-set.ts';
import type { SharedCounts } from './breaker/breakers.ts';
import { Cluster } from './cluster.ts';
import type { ClusterConfig } from './cluster-config.ts';
import type { Discovery } from './discovery.ts';
import { DnsDiscovery } from './dns/dns-discovery.ts';
import type { DnsResolver } from './dns/resolver.ts';
import { type AssignmentSpec, emptyAssignment } from './endpoint-spec.ts';

export interface EntryHooks {
  readonly onWarm: (name: string) => void;
  readonly runtime: {
    readonly clock: Clock;
    readonly random: () => number;
    readonly shared: SharedCounts | null;
    readonly descriptors?: DescriptorWatch | undefined;
    readonly resolver: DnsResolver;
    readonly secrets: Pick<SecretSet, 'onChange'>;
  };
}

/** As long as for endpoints. */
const maxSecretWaitMs = 15_000;

/** A cluster with what feeds it. */
class Version {
  readonly cluster: Cluster;
  readonly versionInfo: string;
  discovery: Discovery | null = null;
  timeout: Timer | null = null;
  hasEndpoints = false;
  /** End the watch over secrets that are not there yet. */
  secretWatches: readonly (() => void)[] = [];
  /** Waited for secrets for as long as is allowed. */
  isOutOfPatience = false;
  isWarm = false;
  readonly entry: ClusterEntry;

  constructor(entry: ClusterEntry, cluster: Cluster, versionInfo: string) {
    this.entry = entry;
    this.cluster = cluster;
    this.versionInfo = versionInfo;
  }

  stopWaiting(): void {
    this.timeout?.stop();
    this.timeout = null;
    for (const end of this.secretWatches) end();
    this.secretWatches = [];
  }

  stop(): void {
    this.discovery?.stop();
    this.stopWaiting();
    this.cluster.dispose();
  }
}

export class ClusterEntry {
  private active: Version;
  private warming: Version | null = null;
  private readonly hooks: EntryHooks;

  constructor(config: ClusterConfig, version: string, hooks: EntryHooks) {
    this.hooks = hooks;
    this.active = this.makeVersion(config, version);
  }

  private makeVersion(config: ClusterConfig, version: string): Version {
    return new Version(this, new Cluster(config, this.hooks.runtime), version);
  }

  /** Serves requests. */
  get current(): Cluster {
    return this.active.cluster;
  }

  /** The last configuration accepted. */
  get newest(): Cluster {
    return (this.warming ?? this.active).cluster;
  }

  get isWarm(): boolean {
    return this.warming === null && this.active.isWarm;
  }

  /** Whether some version is warm and serves. */
  get isServing(): boolean {
    return this.active.isWarm;
  }

  /** xDS version of what serves, for `/config_dump`. */
  get versionInfo(): string {
    return this.active.versionInfo;
  }

  /** The version that will serve next, or null. */
  get warmingCluster(): { readonly cluster: Cluster; readonly versionInfo: string } | null {
    return this.warming;
  }

  start(assignment: AssignmentSpec | null): void {
    this.startVersion(this.active, assignment);
  }

  /** A new configuration: warms beside the one that serves. */
  replace(config: ClusterConfig, version: string, assignment: AssignmentSpec | null): void {
    this.warming?.stop();
    const next = this.makeVersion(config, version);
    this.warming = next;
    this.startVersion(next, assignment);
  }

  private startVersion(version: Version, assignment: AssignmentSpec | null): void {
    const { cluster } = version;
    const { config } = cluster;
    const { clock, random, resolver } = this.hooks.runtime;
    if (config.dns !== null) {
      const context = { clock, random, resolver, scope: config.scope };
      const events = {
        onAssignment: (spec: AssignmentSpec): void => cluster.setAssignment(spec),
        onWarm: (): void => this.onEndpointsKnown(version),
      };
      version.discovery = new DnsDiscovery(
        config.assignment,
        config.dns,
        config.type === 'LOGICAL_DNS',
        context,
        events,
      );
      version.discovery.start();
      return;
    }
    if (config.eds === null || assignment !== null) {
      cluster.setAssignment(assignment ?? config.assignment);
      this.onEndpointsKnown(version);
      return;
    }
    const { initialFetchTimeoutMs } = config.eds;
    if (initialFetchTimeoutMs > 0) version.timeout = clock.start(initialFetchTimeoutMs, onFetchTimeout, version);
  }

  /** Endpoints came for that EDS name. */
  onEndpoints(name: string, assignment: AssignmentSpec): void {
    // The old one first: the new one, once warm, ends it.
    for (const version of [this.active, this.warming]) {
      if (version?.cluster.config.eds?.serviceName !== name) continue;
      version.cluster.scope.counter('update_success').inc();
      version.cluster.setAssignment(assignment);
      this.onEndpointsKnown(version);
    }
  }

  /** The version has its endpoints, or has waited long enough for them. */
  onEndpointsKnown(version: Version): void {
    if (version.hasEndpoints) return;
    version.hasEndpoints = true;
    version.stopWaiting();
    if (!version.cluster.config.transport.isReady) this.waitForSecrets(version);
    this.warmIfReady(version);
  }

  private waitForSecrets(version: Version): void {
    const { clock, secrets } = this.hooks.runtime;
    const names = version.cluster.config.transport.secretNames;
    version.secretWatches = names.map((name) => secrets.onChange(name, () => this.warmIfReady(version)));
    version.timeout = clock.start(maxSecretWaitMs, onSecretTimeout, version);
  }

  /** A secret came, or the patience for it is over. */
  warmIfReady(version: Version): void {
    if (version.isWarm || !version.hasEndpoints) return;
    if (!version.isOutOfPatience && !version.cluster.config.transport.isReady) return;
    version.isWarm = true;
    version.stopWaiting();
    if (version === this.warming) {
      const old = this.active;
      this.active = version;
      this.warming = null;
      old.stop();
    }
    if (version === this.active) this.hooks.onWarm(version.cluster.name);
  }

  collectEndpointNames(names: Set<string>): void {
    for (const version of [this.active, this.warming]) {
      const name = version?.cluster.config.eds?.serviceName;
      if (name !== undefined) names.add(name);
    }
  }

  dispose(): void {
    this.warming?.stop();
    this.active.stop();
  }
}

// As Envoy: after that time the cluster is used as it is, without hosts.
function onFetchTimeout(version: Version): void {
  version.cluster.scope.counter('init_fetch_timeout').inc();
  version.timeout = null;
  if (version.cluster.hosts.length === 0) version.cluster.setAssignment(emptyAssignment);
  version.entry.onEndpointsKnown(version);
}

function onSecretTimeout(version: Version): void {
  version.timeout = null;
  version.isOutOfPatience = true;
  version.entry.warmIfReady(version);
}
