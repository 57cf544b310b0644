// The model as one proxy is to have it. Pure: the same mesh and node always give the same messages.

import type { MeshModel } from '../model/mesh.ts';
import { endpointAssignments } from './cluster/endpoints.ts';
import { gatewaySnapshot } from './gateway/gateway.ts';
import type { ProxyNode } from './proxy-node.ts';
import { reachOf } from './reach.ts';
import { referencedSecrets } from './referenced-cluster.ts';
import { namedSecrets } from './secrets.ts';
import { sidecarSnapshot } from './sidecar/sidecar.ts';
import { byName, type ClusterLoadAssignment, type ConfigSnapshot, type EndpointSnapshot } from './snapshot.ts';

/** Listeners, routes, clusters and secrets of a proxy. */
export function translateConfig(mesh: MeshModel, node: ProxyNode): ConfigSnapshot {
  const reach = reachOf(mesh, node);
  const made = node.type === 'router' ? gatewaySnapshot(reach, node) : sidecarSnapshot(reach, node);
  const names = referencedSecrets(made.listeners.values(), made.clusters.values());
  return { ...made, secrets: byName(namedSecrets(names, reach)) };
}

/** Endpoints of the proxy's EDS clusters, which `config` names. All that is done again when only endpoints changed. */
export function translateEndpoints(mesh: MeshModel, node: ProxyNode, config: ConfigSnapshot): EndpointSnapshot {
  const assignments = endpointAssignments(reachOf(mesh, node));
  const map = new Map<string, ClusterLoadAssignment>();
  for (const assignment of assignments) {
    const name = assignment.clusterName ?? '';
    // A gateway has fewer clusters, and one that asks the caller's own destination has no endpoints to be told.
    if (config.clusters.get(name)?.type === 'EDS') map.set(name, assignment);
  }
  return map;
}
