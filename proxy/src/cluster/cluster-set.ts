// All clusters of the proxy. A change is checked whole before anything is touched; a changed cluster serves by its old version until
// the new one is warm (its endpoints are known).

import { isDeepStrictEqual } from 'node:util';
import type { envoy } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import type { MetricsRegistry, Scope } from '@weft/lib/metrics';
import type { DescriptorWatch } from '../io/descriptor-watch.ts';
import type { SecretSet } from '../security/secret-set.ts';
import type { Random } from './balancer/picker.ts';
import type { SharedCounts } from './breaker/breakers.ts';
import type { Cluster } from './cluster.ts';
import { type ClusterConfig, type ClusterMessage, compileCluster } from './cluster-config.ts';
import { ClusterEntry } from './cluster-entry.ts';
import type { DnsResolver } from './dns/resolver.ts';
import { type AssignmentSpec, compileAssignment } from './endpoint-spec.ts';
import { tagIssues } from './origin.ts';

type ClusterLoadAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment;

/** A checked change, not yet made. */
export interface PreparedChange {
  readonly issues: readonly Issue[];
  /** Makes the change; only when no issue is an error. */
  commit(): void;
}

export interface ClusterSetOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: Random;
  readonly metrics: MetricsRegistry;
  readonly secrets: SecretSet;
  readonly resolver: DnsResolver;
  /** Where breakers count; null where this thread is the only worker. */
  readonly shared: SharedCounts | null;
  readonly descriptors?: DescriptorWatch | undefined;
}

/** The place of a resource in issues: `clusters["web"]`, or `static_resources.clusters[2]` where the caller knows better. */
export type PathOf = (name: string) => string;

export class ClusterSet {
  /** Told the names EDS should bring whenever they have changed, in order. */
  onEndpointNames: ((names: readonly string[]) => void) | null = null;
  private readonly options: ClusterSetOptions;
  private readonly entries: Map<string, ClusterEntry> = new Map();
  private readonly assignments: Map<string, AssignmentSpec> = new Map();
  private readonly warmCallbacks: Set<(name: string) => void> = new Set();
  private readonly scope: Scope;
  private endpointNames: readonly string[] = [];
  private wanted: ReadonlySet<string> = new Set();

  constructor(options: ClusterSetOptions) {
    this.options = options;
    this.scope = options.metrics.scope({ prefix: 'cluster_manager' });
  }

  /** What serves requests now. A cluster that was never warm is there without hosts. */
  get(name: string): Cluster | null {
    return this.entries.get(name)?.current ?? null;
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Clusters that serve, and the names of those with a newer version still warming. */
  all(): Cluster[] {
    return [...this.entries.values()].map((entry) => entry.current);
  }

  /** For `/config_dump`. */
  dump(): ClusterEntry[] {
    return [...this.entries.values()];
  }

  /** Whether the newest version of that cluster has its endpoints. */
  isWarm(name: string): boolean {
    return this.entries.get(name)?.isWarm === true;
  }

  /** Whether requests can be sent there: some version of it is warm. */
  isServing(name: string): boolean {
    return this.entries.get(name)?.isServing === true;
  }

  /** Calls back each time a cluster has become warm; the result ends it. */
  onWarm(callback: (name: string) => void): () => void {
    this.warmCallbacks.add(callback);
    return () => this.warmCallbacks.delete(callback);
  }

  /** Checks new and changed clusters. Unchanged ones are left alone. */
  prepare(
    set: ReadonlyMap<string, ClusterMessage>,
    remove: readonly string[],
    version: string,
    pathOf: PathOf = (name) => `clusters["${name}"]`,
  ): PreparedChange {
    const issues: Issue[] = [];
    const changed: ClusterConfig[] = [];
    for (const [name, message] of set) {
      if (isDeepStrictEqual(this.entries.get(name)?.newest.config.message, message)) continue;
      changed.push(this.compile(name, message, { issues, path: pathOf(name) }));
    }
    const commit = (): void => {
      for (const config of changed) this.put(config, version);
      for (const name of remove) this.remove(name);
      this.announceEndpointNames();
      this.showCounts();
    };
    return { issues, commit };
  }

  private compile(name: string, message: ClusterMessage, sink: { issues: Issue[]; path: string }): ClusterConfig {
    const before = sink.issues.length;
    const config = compileCluster(message, this.options, sink);
    tagIssues(sink.issues, before, config.origin);
    // A refused newcomer leaves no statistics behind.
    const isRefused = sink.issues.slice(before).some((issue) => issue.level === 'error');
    if (isRefused && !this.entries.has(name)) this.forgetStatistics(config.scope);
    return config;
  }

  /** Checks endpoints by EDS name. A removed name keeps the hosts it had until its cluster goes. */
  prepareEndpoints(
    set: ReadonlyMap<string, ClusterLoadAssignment>,
    remove: readonly string[],
    _version: string,
    pathOf: PathOf = (name) => `endpoints["${name}"]`,
  ): PreparedChange {
    const issues: Issue[] = [];
    const compiled = new Map<string, AssignmentSpec>();
    for (const [name, message] of set) {
      compiled.set(name, compileAssignment(message, { namesAllowed: false }, { issues, path: pathOf(name) }));
    }
    const commit = (): void => {
      for (const name of remove) this.assignments.delete(name);
      for (const [name, assignment] of compiled) this.putAssignment(name, assignment);
    };
    return { issues, commit };
  }

  private putAssignment(name: string, assignment: AssignmentSpec): void {
    // What no cluster asks for is not kept.
    if (!this.wanted.has(name)) return;
    this.assignments.set(name, assignment);
    for (const entry of this.entries.values()) entry.onEndpoints(name, assignment);
  }

  /** Clusters may share theirs (`alt_stat_name`): they stay with the last one. */
  private forgetStatistics(scope: Scope): void {
    for (const { current } of this.entries.values()) if (current.scope === scope) return;
    this.options.metrics.remove(scope);
  }

  private put(config: ClusterConfig, version: string): void {
    const known = this.entries.get(config.name);
    const assignment = config.eds === null ? null : (this.assignments.get(config.eds.serviceName) ?? null);
    const hooks = { onWarm: (name: string): void => this.announceWarm(name), runtime: this.options };
    if (known !== undefined) {
      this.scope.counter('cluster_modified').inc();
      known.replace(config, version, assignment);
      return;
    }
    this.scope.counter('cluster_added').inc();
    const entry = new ClusterEntry(config, version, hooks);
    this.entries.set(config.name, entry);
    entry.start(assignment);
  }

  private remove(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    this.entries.delete(name);
    this.options.shared?.forget(name);
    this.scope.counter('cluster_removed').inc();
    entry.dispose();
    this.forgetStatistics(entry.current.scope);
  }

  private announceWarm(name: string): void {
    this.showCounts();
    for (const callback of [...this.warmCallbacks]) callback(name);
  }

  private announceEndpointNames(): void {
    const names = new Set<string>();
    for (const entry of this.entries.values()) entry.collectEndpointNames(names);
    const sorted = [...names].sort();
    if (sorted.join('\0') === this.endpointNames.join('\0')) return;
    this.endpointNames = sorted;
    this.wanted = names;
    for (const name of this.assignments.keys()) if (!names.has(name)) this.assignments.delete(name);
    this.onEndpointNames?.(sorted);
  }

  /** What EDS is asked for now. */
  get wantedEndpointNames(): readonly string[] {
    return this.endpointNames;
  }

  private showCounts(): void {
    const warming = [...this.entries.values()].filter((entry) => !entry.isWarm).length;
    this.scope.gauge('active_clusters').set(this.entries.size);
    this.scope.gauge('warming_clusters').set(warming);
  }

  /** Stops timers and drains every host: the process ends. */
  dispose(): void {
    for (const entry of this.entries.values()) entry.dispose();
    this.entries.clear();
  }
}
