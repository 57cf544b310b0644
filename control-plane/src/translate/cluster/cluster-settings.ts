// Fields of a cluster that come from a traffic policy: balancer, limits, ejection, connections.

import type { LoadBalancer } from '@weft/api/resource/load-balancer';
import type { envoy } from '@weft/api/xds/types';
import { durationOf } from '../message.ts';
import type { PolicyBlocks } from '../route/traffic-policy.ts';
import type { Cluster } from '../snapshot.ts';

type Thresholds = envoy.config.cluster.v3.CircuitBreakers.Thresholds;
type OutlierDetection = envoy.config.cluster.v3.OutlierDetection;

/** Istio's "no limit". */
const unlimited = 4_294_967_295;

/** The part of a cluster that a policy decides. */
export function clusterSettings(policy: PolicyBlocks): Cluster {
  const tcp = policy.connectionPool?.tcp;
  const outlierDetection = outlierFields(policy);
  const keepalive = tcp?.tcpKeepalive;
  const keepaliveTime = seconds(keepalive?.time);
  const keepaliveInterval = seconds(keepalive?.interval);
  return {
    connectTimeout: durationOf(tcp?.connectTimeout) ?? { seconds: 10 },
    circuitBreakers: { thresholds: [thresholds(policy)] },
    ...balancerFields(policy.loadBalancer),
    ...(outlierDetection === null ? {} : { outlierDetection, commonLbConfig: panicThreshold(policy) }),
    ...(keepalive === undefined
      ? {}
      : {
          upstreamConnectionOptions: {
            tcpKeepalive: {
              ...(keepalive.probes === undefined ? {} : { keepaliveProbes: keepalive.probes }),
              ...(keepaliveTime === undefined ? {} : { keepaliveTime }),
              ...(keepaliveInterval === undefined ? {} : { keepaliveInterval }),
            },
          },
        }),
  };
}

function seconds(duration: string | undefined): number | undefined {
  const parsed = durationOf(duration);
  return parsed === undefined ? undefined : Math.ceil((parsed.seconds ?? 0) + (parsed.nanos ?? 0) / 1e9);
}

/** Limits are off unless set, as in Istio; retries stay within a fifth of the requests unless a count is set. */
function thresholds({ connectionPool, retryBudget }: PolicyBlocks): Thresholds {
  const http = connectionPool?.http;
  const retries: Thresholds =
    http?.maxRetries !== undefined && http.maxRetries > 0
      ? { maxRetries: http.maxRetries }
      : {
          retryBudget: {
            budgetPercent: { value: retryBudget?.percent ?? 20 },
            minRetryConcurrency: retryBudget?.minRetryConcurrency ?? 3,
          },
        };
  return {
    maxConnections: positive(connectionPool?.tcp?.maxConnections),
    maxPendingRequests: positive(http?.http1MaxPendingRequests),
    maxRequests: positive(http?.http2MaxRequests),
    ...retries,
  };
}

function positive(limit: number | undefined): number {
  return limit === undefined || limit === 0 ? unlimited : limit;
}

function outlierFields({ outlierDetection: outlier }: PolicyBlocks): OutlierDetection | null {
  if (outlier === undefined) return null;
  const consecutive = outlier.consecutive5xxErrors ?? outlier.consecutiveErrors;
  const gateway = outlier.consecutiveGatewayErrors;
  const local = outlier.consecutiveLocalOriginFailures;
  const interval = durationOf(outlier.interval);
  const baseEjectionTime = durationOf(outlier.baseEjectionTime);
  return {
    ...(consecutive === undefined
      ? {}
      : { consecutive5xx: consecutive, enforcingConsecutive5xx: enforced(consecutive) }),
    ...(gateway === undefined
      ? {}
      : { consecutiveGatewayFailure: gateway, enforcingConsecutiveGatewayFailure: enforced(gateway) }),
    ...(interval === undefined ? {} : { interval }),
    ...(baseEjectionTime === undefined ? {} : { baseEjectionTime }),
    ...(outlier.maxEjectionPercent === undefined || outlier.maxEjectionPercent === 0
      ? {}
      : { maxEjectionPercent: outlier.maxEjectionPercent }),
    enforcingSuccessRate: 0,
    ...(outlier.splitExternalLocalOriginErrors === true
      ? {
          splitExternalLocalOriginErrors: true,
          enforcingLocalOriginSuccessRate: 0,
          ...(local === undefined
            ? {}
            : { consecutiveLocalOriginFailure: local, enforcingConsecutiveLocalOriginFailure: enforced(local) }),
        }
      : {}),
  };
}

/** Zero turns a detector off. */
function enforced(count: number): number {
  return count > 0 ? 100 : 0;
}

function panicThreshold({ outlierDetection }: PolicyBlocks): envoy.config.cluster.v3.Cluster.CommonLbConfig {
  return { healthyPanicThreshold: { value: outlierDetection?.minHealthPercent ?? 0 } };
}

function balancerFields(balancer: LoadBalancer | undefined): Cluster {
  const hash = balancer?.consistentHash;
  if (hash !== undefined) {
    if (hash.maglev !== undefined) return { lbPolicy: 'MAGLEV', ...maglevSize(hash.maglev.tableSize) };
    const minimumRingSize = hash.ringHash?.minimumRingSize ?? hash.minimumRingSize ?? 1024;
    return { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: minimumRingSize || 1024 } };
  }
  switch (balancer?.simple) {
    case 'ROUND_ROBIN':
      return { lbPolicy: 'ROUND_ROBIN' };
    case 'RANDOM':
      return { lbPolicy: 'RANDOM' };
    case 'PASSTHROUGH':
      return { lbPolicy: 'CLUSTER_PROVIDED' };
    default:
      return { lbPolicy: 'LEAST_REQUEST' };
  }
}

function maglevSize(tableSize: number | undefined): Cluster {
  return tableSize === undefined || tableSize === 0 ? {} : { maglevLbConfig: { tableSize } };
}
