// Ties the xDS client to the running proxy: which cluster it calls, which sets take what it brings, which names it asks for.

import { connect, type Socket } from 'node:net';
import type { envoy } from '@weft/api/xds/types';
import { WeftError } from '@weft/lib/error';
import { resourcePath } from '@weft/lib/issue';
import type { ResourceDump } from '../admin/state.ts';
import type { Host } from '../cluster/host.ts';
import { systemPath } from '../io/unix-path.ts';
import type { RunningProxy } from '../proxy.ts';
import { AdsClient } from './ads-client.ts';
import { type AdsSettings, readAdsSettings } from './ads-settings.ts';
import type { AdsState, ResourceView } from './ads-state.ts';
import type { ResourceKind, ResourceTargets } from './target.ts';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;

/** A listener that takes longer holds no acknowledgement up. */
const bindLimitMs = 5000;

/** The dynamic side of a running proxy. */
export interface DynamicConfig {
  /** Clusters and listeners have come once, or their time is over. */
  readonly isInitialized: boolean;
  state(): AdsState;
  resources(kind: ResourceKind): readonly ResourceDump[];
  versionInfo(kind: ResourceKind): string;
  /** What the connection needs has come: try at once. */
  retryNow(): void;
  stop(): void;
}

/** Opens the stream that `dynamic_resources.ads_config` describes; null when there is none. */
export function startDynamicConfig(bootstrap: Bootstrap, proxy: RunningProxy): DynamicConfig | null {
  const settings = readAdsSettings(bootstrap);
  if (settings === null) return null;
  const { clusterName, authority, variant, nodeOnce, metadata } = settings;
  const { workers } = proxy;
  const targets = targetsOf(proxy, settings);
  const client = new AdsClient({
    clock: proxy.clock,
    random: Math.random,
    connect: () => openTransport(proxy, clusterName),
    isTls: proxy.clusters.get(clusterName)?.tls != null,
    authority,
    variant,
    nodeOnce,
    metadata,
    node: { ...bootstrap.node, userAgentName: 'weft', clientFeatures: ['weft.http2'] },
    messageLimitBytes: settings.messageLimitBytes,
    pingIntervalMs: settings.pingIntervalMs,
    pingTimeoutMs: settings.pingTimeoutMs,
    initialFetchTimeoutMs: { cluster: settings.clusterTimeoutMs, listener: settings.listenerTimeoutMs },
    targets: workers?.forward(targets) ?? targets,
    settle: (done) => whenSettled(proxy, done),
    verify: (kind, names) => (kind === 'listener' ? proxy.listeners.bindIssues(names) : []),
    listenersInUse: () => proxy.listeners.all().map(({ compiled }) => compiled.config),
    reservedNames: {
      cluster: namesOf(bootstrap.staticResources?.clusters),
      listener: namesOf(bootstrap.staticResources?.listeners),
    },
    metrics: proxy.metrics,
    log: proxy.log.child('xds'),
  });
  proxy.listeners.onBound = () => client.review();
  proxy.clusters.onEndpointNames = (names) => client.setNames('endpoint', names);
  proxy.secrets.onWanted = (names) => client.setNames('secret', names);
  client.setNames('endpoint', proxy.clusters.wantedEndpointNames);
  client.setNames('secret', proxy.secrets.wanted());
  client.setStaticListeners(bootstrap.staticResources?.listeners ?? []);
  client.start();
  return {
    get isInitialized() {
      return client.isInitialized;
    },
    state: () => client.state(),
    resources: (kind) => client.resources(kind).map((view) => dumpOf(view, kind, proxy)),
    versionInfo: (kind) => client.state().kinds.find((one) => one.kind === kind)?.version ?? '',
    retryNow: () => client.retryNow(),
    stop: () => client.close(),
  };
}

/** Every worker has made the change, and new listeners have their addresses or will not get them now. */
function whenSettled({ workers, listeners, clock }: RunningProxy, done: () => void): void {
  const bound = (): void => listeners.whenTried(clock, bindLimitMs, done);
  if (workers === null) bound();
  else workers.settle(bound);
}

function targetsOf(proxy: RunningProxy, { wantsClusters, wantsListeners }: AdsSettings): ResourceTargets {
  return {
    secret: { prepare: (set, remove, version) => proxy.secrets.prepare(set, remove, version, placeOf('secret')) },
    ...(wantsClusters ? { cluster: clusterTarget(proxy) } : {}),
    endpoint: {
      prepare: (set, remove, version) => proxy.clusters.prepareEndpoints(set, remove, version, placeOf('endpoint')),
    },
    ...(wantsListeners ? { listener: listenerTarget(proxy) } : {}),
    route: {
      prepare: (set, remove, version) => proxy.routes.prepare(set, remove, version, placeOf('route')),
      onMissing: (name) => proxy.routes.giveUp(name),
    },
  };
}

function clusterTarget(proxy: RunningProxy): NonNullable<ResourceTargets['cluster']> {
  return {
    prepare: (set, remove, version) => {
      proxy.noteReadiness();
      return proxy.clusters.prepare(set, remove, version, placeOf('cluster'));
    },
  };
}

function listenerTarget(proxy: RunningProxy): NonNullable<ResourceTargets['listener']> {
  return {
    prepare: (set, remove, version, leaving) => {
      proxy.noteReadiness();
      return proxy.listeners.prepare(set, remove, version, placeOf('listener'), leaving);
    },
  };
}

function placeOf(kind: ResourceKind): (name: string) => string {
  return (name) => resourcePath(kind, name);
}

function namesOf(list: readonly { readonly name?: string | undefined }[] = []): ReadonlySet<string> {
  return new Set(list.flatMap((one) => one.name ?? []));
}

/** A transport to a host of that cluster; throws when there is none, which the client takes for a failed attempt. */
export function openTransport(proxy: RunningProxy, clusterName: string): Socket {
  const context = { hash: null, originalDestination: null, headers: null, attempted: null };
  const host = proxy.clusters.get(clusterName)?.pick(context) ?? null;
  if (host === null) throw new WeftError('unavailable', `the cluster '${clusterName}' has no healthy host`);
  const target = targetOf(host);
  const preamble = host.proxyHeader?.forNobody;
  if (host.tls !== null) return host.tls.connect(target, { ...host.tlsNames, preamble, alpnFallback: ['h2'] });
  const socket = connect({ ...target, noDelay: true });
  if (preamble !== undefined) socket.write(preamble);
  return socket;
}

function targetOf(host: Host): { host: string; port: number } | { path: string } {
  return host.isPipe ? { path: systemPath(host.address) } : { host: host.address, port: host.port };
}

// A resource the client accepted may still warm: only what serves is active.
function dumpOf(view: ResourceView, kind: ResourceKind, proxy: RunningProxy): ResourceDump {
  const isWarming =
    (kind === 'cluster' && !proxy.clusters.isWarm(view.name)) ||
    (kind === 'listener' && proxy.listeners.warmingNames().includes(view.name));
  return { ...view, stage: isWarming ? 'warming' : 'active' };
}
