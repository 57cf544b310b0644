// A sidecar in Istio's shape: a listener per port, found by the destination of redirected connections, behind `virtualOutbound` and
// `virtualInbound`.

import { isHttp, type Protocol } from '../../model/protocol.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { catchAllClusters, outboundClusters } from '../cluster/outbound-clusters.ts';
import { detection, outboundDetectionMs } from '../detection.ts';
import {
  connectionManager,
  grpcStatsFilters,
  grpcWebFilters,
  httpInspector,
  type NetworkFilter,
  plainHttp,
  routeFilters,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from '../filters.ts';
import { socketAddress } from '../message.ts';
import type { ProxyNode } from '../proxy-node.ts';
import type { Reach } from '../reach.ts';
import { byName, type ConfigSnapshot, type Listener } from '../snapshot.ts';
import { type InboundResources, virtualInbound } from './inbound.ts';
import { portOf, portRoutes } from './port-routes.ts';
import { tcpChain, tcpListener } from './tcp-listener.ts';
import { catchAllCluster, virtualOutbound, wildcardAddress } from './virtual-outbound.ts';

/** What the listeners of one sidecar are made with. */
interface Place {
  readonly reach: Reach;
  readonly node: ProxyNode;
  readonly isRedirected: boolean;
}

/**
 * Where nothing redirects, the port listeners are bound on the loopback address, so that an application reaches `reviews:9080` at
 * `127.0.0.1:9080`.
 */
export function redirectedSidecar(reach: Reach, node: ProxyNode): Omit<ConfigSnapshot, 'secrets'> {
  const isRedirected = node.interception === 'redirect' || node.interception === 'tproxy';
  const hasVirtual = node.interception !== 'none';
  const inbound: InboundResources = hasVirtual ? virtualInbound(reach.mesh, node) : { listeners: [], clusters: [] };
  const httpPorts = portsOf(reach, (port) => isHttp(port.protocol) || port.protocol === 'auto');
  const outbound = portListeners(httpPorts, { reach, node, isRedirected });
  return {
    listeners: byName([...inbound.listeners, ...outbound, ...(hasVirtual ? [virtualOutbound(reach.mesh, node)] : [])]),
    routes: reach.once(`port-routes ${isRedirected}`, () =>
      byName([...httpPorts].map(([port, services]) => portRoutes(port, services, isRedirected, reach))),
    ),
    clusters: byName([...outboundClusters(reach, node), ...catchAllClusters(!isRedirected), ...inbound.clusters]),
  };
}

/** Services by port number, of the ports that fit. */
function portsOf(reach: Reach, fits: (port: MeshPort) => boolean): Map<number, MeshService[]> {
  const ports = new Map<number, MeshService[]>();
  for (const service of reach.services.values()) {
    for (const port of service.ports.filter(fits)) {
      const list = ports.get(port.number);
      if (list === undefined) ports.set(port.number, [service]);
      else list.push(service);
    }
  }
  return new Map([...ports].sort(([a], [b]) => a - b));
}

function portListeners(httpPorts: ReadonlyMap<number, MeshService[]>, place: Place): Iterable<Listener> {
  const { reach } = place;
  const listeners = new Map<string, Listener>();
  for (const [port, services] of httpPorts) {
    for (const listener of httpListeners(port, services, place)) add(listeners, listener);
  }
  const tcpPorts = portsOf(reach, ({ protocol }) => !isHttp(protocol) && protocol !== 'auto');
  for (const [port, services] of tcpPorts) for (const service of services) addTcp(listeners, service, port, place);
  if (!place.isRedirected) return listeners.values();
  for (const [port, services] of tcpPorts) for (const service of services) addRanges(listeners, service, port, place);
  return listeners.values();
}

function add(listeners: Map<string, Listener>, listener: Listener): void {
  const name = listener.name ?? '';
  if (!listeners.has(name)) listeners.set(name, listener);
}

/** Of any address of the port, or of one. */
function bindFields(port: number, { node, isRedirected }: Place, address?: string): Listener {
  const wildcard = wildcardAddress(node, port);
  const nameOf = (text: string): string => `${text.includes(':') ? `[${text}]` : text}_${port}`;
  const name = nameOf(address ?? wildcard.name);
  if (!isRedirected) return { name, trafficDirection: 'OUTBOUND', address: socketAddress('127.0.0.1', port) };
  const where = address === undefined ? wildcard.address : socketAddress(address, port);
  return { name, trafficDirection: 'OUTBOUND', address: where, bindToPort: false };
}

/**
 * One listener for the HTTP of all services with this port: the request tells them apart. A service whose protocol is not declared
 * has one of its own, where it has an address, so that whatever is not HTTP still reaches it.
 */
function httpListeners(port: number, services: readonly MeshService[], place: Place): Listener[] {
  const undeclared = services.filter((service) => portOf(service, port)?.protocol === 'auto');
  const ownListener = place.isRedirected ? undeclared.filter((service) => exactAddresses(service).length > 0) : [];
  const shared = services.filter((service) => !ownListener.includes(service));
  const own = ownListener.flatMap((service) =>
    exactAddresses(service).map((address) => ({
      ...bindFields(port, place, address),
      ...detectedChains(port, [tcpFilter(port, service, place)]),
    })),
  );
  return shared.length === 0 ? own : [...own, sharedListener(port, shared, place)];
}

function sharedListener(port: number, services: readonly MeshService[], place: Place): Listener {
  const fields = bindFields(port, place);
  const undeclared = services.find((service) => portOf(service, port)?.protocol === 'auto');
  const declared = services.some((service) => portOf(service, port)?.protocol !== 'auto');
  if (undeclared === undefined || declared) {
    const protocols = services.map((service) => portOf(service, port)?.protocol ?? 'auto');
    return { ...fields, filterChains: [{ filters: [manager(port, protocols)] }] };
  }
  const catchAll = [{ name: catchAllCluster(place.reach.mesh), weight: 1 }];
  const otherwise = place.isRedirected
    ? tcpProxy(`outbound_0.0.0.0_${port}`, catchAll)
    : tcpFilter(port, undeclared, place);
  return { ...fields, ...detectedChains(port, [otherwise]) };
}

/** `protocols` are those of the services that share the port. */
function manager(port: number, protocols: readonly Protocol[]): NetworkFilter {
  return connectionManager({
    statPrefix: `outbound_0.0.0.0_${port}`,
    routes: String(port),
    httpFilters: [...grpcWebFilters(protocols), ...grpcStatsFilters(protocols, false), ...routeFilters, routerFilter],
  });
}

function detectedChains(port: number, otherwise: readonly NetworkFilter[]): Listener {
  return {
    ...detection([tlsInspector, httpInspector], outboundDetectionMs),
    filterChains: [{ filterChainMatch: { applicationProtocols: plainHttp }, filters: [manager(port, [])] }],
    defaultFilterChain: { filters: otherwise },
  };
}

function tcpFilter(number: number, service: MeshService, { reach }: Place): NetworkFilter {
  const port = portOf(service, number);
  const { filters = [] } = port === undefined ? {} : tcpChain(`outbound_0.0.0.0_${number}`, service, port, reach).chain;
  return filters[0] ?? tcpProxy(`outbound_0.0.0.0_${number}`, []);
}

function exactAddresses({ addresses }: MeshService): readonly string[] {
  return addresses.filter((address) => !address.includes('/'));
}

/** TCP services are told apart by address; without one the first service of a port has it. */
function addTcp(listeners: Map<string, Listener>, service: MeshService, number: number, place: Place): void {
  const port = portOf(service, number);
  if (port === undefined) return;
  const isAnywhere = service.addresses.length === 0 || !place.isRedirected;
  for (const address of isAnywhere ? [undefined] : exactAddresses(service)) {
    add(listeners, tcpListener(bindFields(number, place, address), service, port, place.reach));
  }
}

/** Ranges of addresses are chains of the listener of all addresses; what is in none of them goes on as if there was no service. */
function addRanges(listeners: Map<string, Listener>, service: MeshService, number: number, place: Place): void {
  const port = portOf(service, number);
  const prefixRanges = service.addresses.filter((address) => address.includes('/')).map(prefixRange);
  if (port === undefined || prefixRanges.length === 0) return;
  const fields = bindFields(number, place);
  const name = fields.name ?? '';
  const { chain } = tcpChain(name, service, port, place.reach);
  const otherwise = catchAllCluster(place.reach.mesh);
  const listener = listeners.get(name) ?? {
    ...fields,
    defaultFilterChain: { filters: [tcpProxy(otherwise, [{ name: otherwise, weight: 1 }])] },
  };
  const filterChains = [{ filterChainMatch: { prefixRanges }, ...chain }, ...(listener.filterChains ?? [])];
  listeners.set(name, { ...listener, filterChains });
}

function prefixRange(cidr: string): { addressPrefix: string; prefixLen: number } {
  const [addressPrefix = '', length] = cidr.split('/');
  return { addressPrefix, prefixLen: Number(length) };
}
