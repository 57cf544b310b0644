// `TcpProxy` message -> running TCP proxy.

import type { envoy } from '@weft/api/xds/types';
import { compileHeaderMatcher } from '../../route/header-matcher.ts';
import { compileAccessLog } from '../../telemetry/access-log.ts';
import type { CompilePlace, NetworkContext } from '../network-context.ts';
import { timeMs } from '../time-limit.ts';
import { TcpProxy, type WeightedCluster } from './tcp-proxy.ts';
import { compileTunneling } from './tunneling.ts';

type Config = envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;

/** Envoy's default; a connection that is silent for an hour is ended. */
const defaultIdleTimeoutMs = 3_600_000;

/** Compiles it; null after reporting errors. */
export function compileTcpProxy(config: Config, context: NetworkContext, place: CompilePlace): TcpProxy | null {
  const targets = readTargets(config);
  if (targets.length === 0) {
    const message = 'a TCP proxy needs a cluster, or weighted_clusters with a weight above zero';
    place.issues.push({ code: 'WEFT0385', level: 'error', path: place.path, message });
    return null;
  }
  const scope = context.metrics.scope({ prefix: 'tcp', tag: 'envoy_tcp_prefix', value: config.statPrefix ?? '' });
  const { clock, random, decisions, clusters } = context;
  const before = place.issues.length;
  const accessLog = compileAccessLog(config.accessLog, place.issues, `${place.path}.access_log`, {
    sinks: context.sinks,
    random,
    compileHeaderMatcher,
  });
  const tunneling = compileTunneling(config.tunnelingConfig, place);
  if (place.issues.slice(before).some((issue) => issue.level === 'error')) return null;
  return new TcpProxy({
    clusters,
    targets,
    clock,
    random,
    idleTimeoutMs: timeMs(config.idleTimeout, defaultIdleTimeoutMs),
    maxDurationMs: timeMs(config.maxDownstreamConnectionDuration, 0),
    maxConnectAttempts: config.maxConnectAttempts ?? 1,
    hashesSource: config.hashPolicy?.some((policy) => policy.sourceIp !== undefined) === true,
    tunneling,
    scope,
    accessLog,
    decisions,
  });
}

function readTargets(config: Config): WeightedCluster[] {
  if (config.cluster !== undefined && config.cluster !== '') return [{ name: config.cluster, weight: 1 }];
  return (config.weightedClusters?.clusters ?? [])
    .map((target) => ({ name: target.name ?? '', weight: target.weight ?? 0 }))
    .filter((target) => target.weight > 0);
}
