// Endpoints of clusters, grouped by locality. Made alone when nothing but endpoints changed.

import type { envoy } from '@weft/api/xds/types';
import type { Endpoint } from '../../model/endpoint.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { outboundCluster } from '../cluster-name.ts';
import { socketAddress } from '../message.ts';
import { weftMetadataKey } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import type { ClusterLoadAssignment } from '../snapshot.ts';
import { tlsModeKey } from './cluster-tls.ts';

type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint;
type LocalityLbEndpoints = envoy.config.endpoint.v3.LocalityLbEndpoints;

/** Assignments that were made, by the endpoints they were made from: what did not change is the same message as before. */
const made: WeakMap<readonly Endpoint[], Map<string, ClusterLoadAssignment>> = new WeakMap();

/** Load assignments of all services in reach whose endpoints are known. */
export function endpointAssignments(reach: Reach): readonly ClusterLoadAssignment[] {
  return reach.once('endpoints', () => makeAssignments(reach));
}

function makeAssignments(reach: Reach): ClusterLoadAssignment[] {
  const assignments: ClusterLoadAssignment[] = [];
  for (const service of reach.services.values()) {
    if (service.resolution !== 'static') continue;
    const subsets = reach.ruleOf(service)?.subsets.map((item) => item.subset.name) ?? [];
    for (const port of service.ports) {
      for (const subset of ['', ...subsets]) {
        const name = outboundCluster(port.number, subset, service.host);
        assignments.push(assignment(name, service, port, subset, reach));
      }
    }
  }
  return assignments;
}

function assignment(
  name: string,
  service: MeshService,
  port: MeshPort,
  subset: string,
  reach: Reach,
): ClusterLoadAssignment {
  const all = reach.endpointsOf(service, port, '');
  const labels = reach.ruleOf(service)?.subsets.find((item) => item.subset.name === subset)?.subset.labels;
  const key = `${name} ${labels === undefined ? '' : JSON.stringify(labels)}`;
  const ofEndpoints = made.get(all) ?? new Map<string, ClusterLoadAssignment>();
  made.set(all, ofEndpoints);
  const known = ofEndpoints.get(key);
  if (known !== undefined) return known;
  const fresh = loadAssignment(name, reach.endpointsOf(service, port, subset));
  ofEndpoints.set(key, fresh);
  return fresh;
}

/** One cluster's endpoints. */
export function loadAssignment(clusterName: string, endpoints: readonly Endpoint[]): ClusterLoadAssignment {
  const byLocality = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const group = byLocality.get(endpoint.locality);
    if (group === undefined) byLocality.set(endpoint.locality, [endpoint]);
    else group.push(endpoint);
  }
  const groups = [...byLocality]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, members]) => localityGroup(name, members));
  return { clusterName, ...(groups.length > 0 ? { endpoints: groups } : {}) };
}

function localityGroup(locality: string, members: readonly Endpoint[]): LocalityLbEndpoints {
  const weight = members.reduce((sum, { weight }) => sum + weight, 0);
  return {
    ...(locality === '' ? {} : { locality: localityOf(locality) }),
    lbEndpoints: members.map(lbEndpoint),
    loadBalancingWeight: Math.min(weight, 4_294_967_295),
  };
}

function localityOf(text: string): envoy.config.core.v3.Locality {
  const [region = '', zone = '', subZone = ''] = text.split('/');
  return { region, ...(zone === '' ? {} : { zone }), ...(subZone === '' ? {} : { subZone }) };
}

function lbEndpoint(endpoint: Endpoint): LbEndpoint {
  return {
    endpoint: { address: socketAddress(endpoint.address, endpoint.port) },
    ...(endpoint.isHealthy ? {} : { healthStatus: 'UNHEALTHY' }),
    metadata: {
      filterMetadata: {
        ...(endpoint.mutualTls ? { 'envoy.transport_socket_match': { [tlsModeKey]: 'istio' } } : {}),
        [weftMetadataKey]: { workload: endpoint.workload },
      },
    },
    loadBalancingWeight: endpoint.weight,
  };
}
