// What a cluster's endpoints are configured to be, compiled from `ClusterLoadAssignment` before any host is made or changed.

import { isIP } from 'node:net';
import type { envoy, JsonObject } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import { fractionOf } from './fraction.ts';
import type { EndpointHealth } from './host.ts';

type ClusterLoadAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment;
type LocalityLbEndpoints = envoy.config.endpoint.v3.LocalityLbEndpoints;
type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint;
type Address = envoy.config.core.v3.Address;

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** One endpoint. */
export interface EndpointSpec {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly isPipe: boolean;
  readonly internalListener: string | null;
  readonly hostname: string;
  readonly weight: number;
  readonly health: EndpointHealth;
  readonly edsHealth: string;
  readonly metadata: JsonObject | null;
  readonly locality: Locality | null;
  readonly priority: number;
}

/** The endpoints of one locality and priority. */
export interface LocalitySpec {
  readonly locality: Locality | null;
  /** 0: takes no traffic where localities are weighted. */
  readonly weight: number;
  readonly priority: number;
  readonly endpoints: readonly EndpointSpec[];
}

/** All endpoints of a cluster. */
export interface AssignmentSpec {
  readonly localities: readonly LocalitySpec[];
  /** Envoy's 140: how far a priority may lose hosts before traffic spills to the next. */
  readonly overprovisioningPercent: number;
  /** Health of a priority counts weights instead of hosts. */
  readonly isHealthWeighted: boolean;
  /** Chance that a request is turned away on purpose. */
  readonly dropChance: number;
}

export const emptyAssignment: AssignmentSpec = {
  localities: [],
  overprovisioningPercent: 140,
  isHealthWeighted: false,
  dropChance: 0,
};

/** Whether endpoints may be names: clusters that resolve them say yes. */
export interface EndpointRules {
  readonly namesAllowed: boolean;
}

export function compileAssignment(
  config: ClusterLoadAssignment,
  rules: EndpointRules,
  sink: IssueSink,
): AssignmentSpec {
  const localities = (config.endpoints ?? []).map((group, i) =>
    compileLocality(group, rules, sinkAt(sink, `endpoints[${i}]`)),
  );
  checkPriorities(localities, sink);
  const { policy } = config;
  // Each category drops its part of what the ones before it let through.
  const passed = (policy?.dropOverloads ?? []).reduce(
    (share, drop) => share * (1 - fractionOf(drop.dropPercentage)),
    1,
  );
  return {
    localities,
    overprovisioningPercent: policy?.overprovisioningFactor ?? 140,
    isHealthWeighted: policy?.weightedPriorityHealth === true,
    dropChance: 1 - passed,
  };
}

// Envoy wants priorities without gaps: a gap is a typing error that would send traffic nowhere.
function checkPriorities(localities: readonly LocalitySpec[], sink: IssueSink): void {
  const used = new Set(localities.map((locality) => locality.priority));
  const highest = Math.max(0, ...used);
  for (let priority = 0; priority < highest; priority++) {
    if (used.has(priority)) continue;
    const problem = `priority ${highest} is used but priority ${priority} is not; number priorities from 0 without gaps`;
    reportError(sinkAt(sink, 'endpoints'), 'WEFT0351', problem);
    return;
  }
}

function compileLocality(group: LocalityLbEndpoints, rules: EndpointRules, sink: IssueSink): LocalitySpec {
  const { region = '', zone = '', subZone = '' } = group.locality ?? {};
  const locality = group.locality === undefined ? null : { region, zone, subZone };
  const place = { locality, priority: group.priority ?? 0 };
  const list = group.lbEndpoints ?? group.loadBalancerEndpoints?.lbEndpoints ?? [];
  const endpoints: EndpointSpec[] = [];
  list.forEach((endpoint, i) => {
    const spec = compileEndpoint(endpoint, place, rules, sinkAt(sink, `lb_endpoints[${i}]`));
    if (spec !== null) endpoints.push(spec);
  });
  return { locality, weight: group.loadBalancingWeight ?? 0, priority: place.priority, endpoints };
}

type Place = Pick<EndpointSpec, 'locality' | 'priority'>;

function compileEndpoint(
  endpoint: LbEndpoint,
  place: Place,
  rules: EndpointRules,
  sink: IssueSink,
): EndpointSpec | null {
  const weight = endpoint.loadBalancingWeight ?? 1;
  if (weight < 1) {
    return reportError(
      sinkAt(sink, 'load_balancing_weight'),
      'WEFT0352',
      'a weight of 0 is not allowed; use 1 or more, or leave the endpoint out',
    );
  }
  const target = compileAddress(endpoint.endpoint?.address, rules, sinkAt(sink, 'endpoint.address'));
  if (target === null) return null;
  const edsHealth = String(endpoint.healthStatus ?? 'UNKNOWN');
  return {
    ...target,
    hostname: endpoint.endpoint?.hostname ?? (isIP(target.address) === 0 && !target.isPipe ? target.address : ''),
    weight,
    health: healthOf(edsHealth),
    edsHealth,
    metadata: endpoint.metadata?.filterMetadata ?? null,
    ...place,
  };
}

function healthOf(status: string): EndpointHealth {
  if (status === 'DEGRADED') return 'degraded';
  return status === 'UNKNOWN' || status === 'HEALTHY' ? 'healthy' : 'unhealthy';
}

type Target = Pick<EndpointSpec, 'key' | 'address' | 'port' | 'isPipe' | 'internalListener'>;

function compileAddress(address: Address | undefined, rules: EndpointRules, sink: IssueSink): Target | null {
  if (address?.pipe !== undefined) {
    const path = address.pipe.path ?? '';
    if (path === '')
      return reportError(sinkAt(sink, 'pipe.path'), 'WEFT0353', 'the path of the Unix socket is empty; name a path');
    return { key: `pipe:${path}`, address: path, port: 0, isPipe: true, internalListener: null };
  }
  if (address?.envoyInternalAddress !== undefined) {
    const { serverListenerName = '', endpointId = '' } = address.envoyInternalAddress;
    if (serverListenerName === '') {
      return reportError(sink, 'WEFT0353', 'the internal address names no listener; give server_listener_name');
    }
    const key = `internal:${serverListenerName}/${endpointId}`;
    return { key, address: key, port: 0, isPipe: false, internalListener: serverListenerName };
  }
  if (address?.socketAddress === undefined) {
    return reportError(
      sink,
      'WEFT0353',
      'the endpoint has no address; give a socket_address, pipe or envoy_internal_address',
    );
  }
  return compileSocketAddress(address.socketAddress, rules, sinkAt(sink, 'socket_address'));
}

function compileSocketAddress(
  socket: envoy.config.core.v3.SocketAddress,
  rules: EndpointRules,
  sink: IssueSink,
): Target | null {
  const { address = '', portValue = 0 } = socket;
  if (socket.protocol === 'UDP')
    return reportError(sinkAt(sink, 'protocol'), 'WEFT0354', 'UDP endpoints are not carried; use TCP');
  if (address === '')
    return reportError(
      sinkAt(sink, 'address'),
      'WEFT0353',
      'the address is empty; give an IP address or, for DNS clusters, a name',
    );
  if (!rules.namesAllowed && isIP(address) === 0) {
    const problem = `"${address}" is no IP address; clusters of this type resolve no names, use STRICT_DNS or LOGICAL_DNS`;
    return reportError(sinkAt(sink, 'address'), 'WEFT0355', problem);
  }
  if (socket.namedPort !== undefined) {
    return reportError(sinkAt(sink, 'named_port'), 'WEFT0354', 'named ports are not resolved; give port_value');
  }
  if (portValue < 1 || portValue > 65_535) {
    return reportError(
      sinkAt(sink, 'port_value'),
      'WEFT0356',
      `${portValue} is no port; give a number from 1 to 65535`,
    );
  }
  return { key: hostKey(address, portValue), address, port: portValue, isPipe: false, internalListener: null };
}

/** The identity of a host by address. */
export function hostKey(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
