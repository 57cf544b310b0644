// Clusters for tests: from Envoy's JSON, with a paused clock, seeded randomness and a scripted resolver.

import assert from 'node:assert/strict';
import { PausedClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { MetricsRegistry } from '@weft/lib/metrics';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import type { Cluster, PickContext } from '@weft/proxy/cluster/cluster';
import type { ClusterMessage } from '@weft/proxy/cluster/cluster-config';
import { ClusterSet, type PreparedChange } from '@weft/proxy/cluster/cluster-set';
import type { DnsAnswer, DnsFamily, DnsResolver } from '@weft/proxy/cluster/dns/resolver';
import type { Host } from '@weft/proxy/cluster/host';
import { SecretSet } from '@weft/proxy/security/secret-set';

/** Uniform in [0, 1) and the same each time (mulberry32). */
export function seededRandom(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Answers what it is told to, and remembers what it was asked. */
export class ScriptedResolver implements DnsResolver {
  readonly answers: Map<string, DnsAnswer | Error> = new Map();
  readonly asked: string[] = [];

  resolve(name: string, family: DnsFamily): Promise<DnsAnswer> {
    this.asked.push(`${name} ${family}`);
    const answer = this.answers.get(name) ?? new Error('no answer');
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }
}

/** A set of clusters and all that it stands on. */
export class SampleClusters {
  readonly clock: PausedClock = new PausedClock();
  readonly metrics: MetricsRegistry = new MetricsRegistry();
  readonly resolver: ScriptedResolver = new ScriptedResolver();
  readonly set: ClusterSet;
  readonly secrets: SecretSet;

  constructor(seed = 1) {
    const { clock, metrics, resolver } = this;
    this.secrets = new SecretSet(clock);
    this.set = new ClusterSet({
      clock,
      metrics,
      resolver,
      random: seededRandom(seed),
      secrets: this.secrets,
      shared: null,
    });
  }

  /** Checks clusters given as Envoy's JSON. */
  prepare(...configs: readonly unknown[]): PreparedChange {
    return this.set.prepare(new Map(configs.map(parseCluster)), [], 'v1');
  }

  /** Puts clusters in place that must be right. */
  put(...configs: readonly unknown[]): void {
    const change = this.prepare(...configs);
    assert.deepEqual(change.issues, []);
    change.commit();
  }

  /** Puts endpoints in place, by EDS name. */
  putEndpoints(name: string, config: unknown): void {
    const issues: Issue[] = [];
    const message = messageFromJson('envoy.config.endpoint.v3.ClusterLoadAssignment', config, issues);
    assert.deepEqual(issues, []);
    const change = this.set.prepareEndpoints(new Map([[name, message]]), [], 'v1');
    assert.deepEqual(change.issues, []);
    change.commit();
  }

  /** Puts a secret in place. */
  putSecret(name: string, config: object): void {
    const issues: Issue[] = [];
    const message = messageFromJson('envoy.extensions.transport_sockets.tls.v3.Secret', { name, ...config }, issues);
    assert.deepEqual(issues, []);
    const change = this.secrets.prepare(new Map([[name, message]]), [], 'v1');
    assert.deepEqual(change.issues, []);
    change.commit();
  }

  get(name: string): Cluster {
    const cluster = this.set.get(name);
    assert.ok(cluster, `the cluster ${name} is there`);
    return cluster;
  }

  /** Value of a counter or gauge of a cluster, 0 when it was never touched. */
  stat(cluster: string, name: string): number {
    const metric = this.get(cluster).scope.metrics.get(name);
    return metric !== undefined && 'value' in metric ? metric.value : 0;
  }
}

function parseCluster(config: unknown): [string, ClusterMessage] {
  const issues: Issue[] = [];
  const message = messageFromJson('envoy.config.cluster.v3.Cluster', config, issues);
  assert.deepEqual(issues, []);
  return [message.name ?? '', message];
}

/** A `STATIC` cluster over `ip:port` texts or whole `lb_endpoints`. */
export function staticCluster(name: string, endpoints: readonly unknown[], more: object = {}): object {
  return { name, type: 'STATIC', load_assignment: assignment(name, endpoints), ...more };
}

/** A `ClusterLoadAssignment` with one locality. */
export function assignment(name: string, endpoints: readonly unknown[]): object {
  return {
    cluster_name: name,
    endpoints: [{ lb_endpoints: endpoints.map((one) => (typeof one === 'string' ? endpoint(one) : one)) }],
  };
}

/** One `lb_endpoint`. */
export function endpoint(address: string, more: object = {}): object {
  const colon = address.lastIndexOf(':');
  const socket = { address: address.slice(0, colon), port_value: Number(address.slice(colon + 1)) };
  return { endpoint: { address: { socket_address: socket } }, ...more };
}

/** A request without wishes. */
export const anyRequest: PickContext = { hash: null, originalDestination: null, headers: null, attempted: null };

/** How often each host is picked, by key. */
export function countPicks(
  cluster: Cluster,
  times: number,
  contextOf: (i: number) => PickContext = () => anyRequest,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < times; i++) {
    const key = cluster.pick(contextOf(i))?.key ?? 'none';
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** The host with that key. */
export function hostOf(cluster: Cluster, key: string): Host {
  const host = cluster.allHosts().find((one) => one.key === key);
  assert.ok(host, `the host ${key} is there`);
  return host;
}

/** Lets promises that are settled run their callbacks. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
