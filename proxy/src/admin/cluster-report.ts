// What `/clusters` shows, from the running clusters.

import type { JsonValue } from '@weft/api/xds/types';
import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { ClusterEntry } from '../cluster/cluster-entry.ts';
import type { Host } from '../cluster/host.ts';
import type { BreakerReport, ClusterReport, HostReport } from './state.ts';

/** Reports every cluster; `isStatic` tells which came with the bootstrap. */
export function reportClusters(entries: readonly ClusterEntry[], isStatic: (name: string) => boolean): ClusterReport[] {
  return entries.map(({ current }) => {
    const service = current.config.eds?.serviceName ?? '';
    return {
      name: current.name,
      isAddedByApi: !isStatic(current.name),
      edsServiceName: service === current.name ? '' : service,
      normal: reportBreakers(current.breakers),
      high: reportBreakers(current.highBreakers),
      hosts: current.hosts.map(reportHost),
    };
  });
}

function reportBreakers(breakers: Breakers): BreakerReport {
  const { maxConnections, maxPending, maxRequests } = breakers.limits;
  return { maxConnections, maxPendingRequests: maxPending, maxRequests, maxRetries: breakers.maxRetries() };
}

function reportHost(host: Host): HostReport {
  const { stats, locality } = host;
  return {
    key: host.key,
    address: host.address,
    port: host.port,
    isPipe: host.isPipe,
    hostname: host.hostname,
    weight: host.weight,
    priority: host.priority,
    region: locality?.region ?? '',
    zone: locality?.zone ?? '',
    subZone: locality?.subZone ?? '',
    isEjected: host.outlier?.isEjected === true,
    isCanary: isCanary(host.metadata?.['envoy.lb']),
    edsHealth: host.edsHealth,
    cxActive: stats.cxActive,
    cxConnectFail: stats.cxConnectFail,
    cxTotal: stats.cxTotal,
    rqActive: host.active,
    rqError: stats.rqError,
    rqSuccess: stats.rqSuccess,
    rqTimeout: stats.rqTimeout,
    rqTotal: stats.rqTotal,
  };
}

function isCanary(metadata: JsonValue | undefined): boolean {
  return typeof metadata === 'object' && metadata !== null && 'canary' in metadata && metadata.canary === true;
}
