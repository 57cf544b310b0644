// `/clusters`: every cluster with its limits and hosts, as Envoy's lines or as JSON.

import { type AdminReply, type AdminRequest, jsonReply, textReply } from '../reply.ts';
import type { AdminState, BreakerReport, ClusterReport, HostReport } from '../state.ts';

/** `?format=json` for `envoy.admin.v3.Clusters`. */
export function clustersPage(state: AdminState, request: AdminRequest): AdminReply {
  const format = request.query.get('format') ?? 'text';
  if (format === 'json') return jsonReply({ cluster_statuses: state.clusters().map(clusterToJson) });
  if (format !== 'text') return textReply(`format '${format}' is not known; use text or json\n`, 400);
  return textReply(state.clusters().map(clusterToText).join(''));
}

function clusterToText(cluster: ClusterReport): string {
  const lines: string[] = [`observability_name::${cluster.name}`];
  lines.push(...limitLines('default', cluster.normal), ...limitLines('high', cluster.high));
  lines.push(`added_via_api::${cluster.isAddedByApi}`);
  if (cluster.edsServiceName !== '') lines.push(`eds_service_name::${cluster.edsServiceName}`);
  for (const host of cluster.hosts) lines.push(...hostLines(host));
  return lines.map((line) => `${cluster.name}::${line}\n`).join('');
}

function limitLines(priority: string, limits: BreakerReport): string[] {
  return [
    `${priority}_priority::max_connections::${shown(limits.maxConnections)}`,
    `${priority}_priority::max_pending_requests::${shown(limits.maxPendingRequests)}`,
    `${priority}_priority::max_requests::${shown(limits.maxRequests)}`,
    `${priority}_priority::max_retries::${shown(limits.maxRetries)}`,
  ];
}

// A limit that never opens is the largest number of its field.
function shown(limit: number): number {
  return Math.min(limit, 4_294_967_295);
}

function hostLines(host: HostReport): string[] {
  const values: readonly (readonly [string, string | number | boolean])[] = [
    ...counts(host),
    ['hostname', host.hostname],
    ['health_flags', healthFlags(host)],
    ['weight', host.weight],
    ['region', host.region],
    ['zone', host.zone],
    ['sub_zone', host.subZone],
    ['canary', host.isCanary],
    ['priority', host.priority],
    ['success_rate', '-1'],
    ['local_origin_success_rate', '-1'],
  ];
  return values.map(([name, value]) => `${host.key}::${name}::${value}`);
}

function counts(host: HostReport): (readonly [string, number])[] {
  return [
    ['cx_active', host.cxActive],
    ['cx_connect_fail', host.cxConnectFail],
    ['cx_total', host.cxTotal],
    ['rq_active', host.rqActive],
    ['rq_error', host.rqError],
    ['rq_success', host.rqSuccess],
    ['rq_timeout', host.rqTimeout],
    ['rq_total', host.rqTotal],
  ];
}

function healthFlags(host: HostReport): string {
  const flags: string[] = [];
  if (host.isEjected) flags.push('/failed_outlier_check');
  if (host.edsHealth === 'DEGRADED') flags.push('/degraded_eds_health');
  if (['UNHEALTHY', 'DRAINING', 'TIMEOUT'].includes(host.edsHealth)) flags.push('/failed_eds_health');
  return flags.length === 0 ? 'healthy' : flags.join('');
}

// Envoy words UNKNOWN as HEALTHY: nothing was said against the host.
function edsStatus(host: HostReport): string {
  return host.edsHealth === 'UNKNOWN' || host.edsHealth === '' ? 'HEALTHY' : host.edsHealth;
}

function clusterToJson(cluster: ClusterReport): unknown {
  const thresholds = [thresholdToJson('DEFAULT', cluster.normal), thresholdToJson('HIGH', cluster.high)];
  return {
    name: cluster.name,
    added_via_api: cluster.isAddedByApi,
    host_statuses: cluster.hosts.map(hostToJson),
    circuit_breakers: { thresholds },
    observability_name: cluster.name,
    ...(cluster.edsServiceName === '' ? {} : { eds_service_name: cluster.edsServiceName }),
  };
}

function thresholdToJson(priority: string, limits: BreakerReport): unknown {
  return {
    priority,
    max_connections: shown(limits.maxConnections),
    max_pending_requests: shown(limits.maxPendingRequests),
    max_requests: shown(limits.maxRequests),
    max_retries: shown(limits.maxRetries),
  };
}

function hostToJson(host: HostReport): unknown {
  const address = host.isPipe
    ? { pipe: { path: host.address } }
    : { socket_address: { address: host.address, port_value: host.port } };
  return {
    address,
    stats: counts(host).map(([name, value]) => ({
      ...(name.endsWith('_active') ? { type: 'GAUGE' } : {}),
      ...(value === 0 ? {} : { value: String(value) }),
      name,
    })),
    health_status: {
      ...(host.isEjected ? { failed_outlier_check: true } : {}),
      eds_health_status: edsStatus(host),
    },
    weight: host.weight,
    hostname: host.hostname,
    priority: host.priority,
    locality: { region: host.region, zone: host.zone, sub_zone: host.subZone },
  };
}
