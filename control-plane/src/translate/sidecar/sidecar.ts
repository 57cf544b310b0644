// All that a sidecar gets: in the local mesh by explicit capture, elsewhere in Istio's shape.

import { isHttp } from '../../model/protocol.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { catchAllClusters, outboundClusters } from '../cluster/outbound-clusters.ts';
import { passthroughCluster } from '../cluster-name.ts';
import { detection, outboundDetectionMs } from '../detection.ts';
import {
  connectionManager,
  faultFilter,
  httpInspector,
  originalDestination,
  plainHttp,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from '../filters.ts';
import { socketAddress } from '../message.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { ProxyNode, WeftLocal } from '../proxy-node.ts';
import type { Reach } from '../reach.ts';
import { serviceTarget, type TcpTarget } from '../route/tcp-target.ts';
import { effectivePolicy } from '../route/traffic-policy.ts';
import {
  extraHosts,
  extraVirtualHost,
  fallbackVirtualHost,
  serviceDomains,
  serviceRoutes,
  sidecarContext,
  type VirtualHost,
  withoutRepeatedDomains,
} from '../route/virtual-host.ts';
import { byName, type ConfigSnapshot, type Listener, type RouteConfiguration } from '../snapshot.ts';
import { type CaptureResources, captureResources } from './capture.ts';
import { type InboundResources, localInbound, virtualInbound } from './inbound.ts';

export function sidecarSnapshot(reach: Reach, node: ProxyNode): Omit<ConfigSnapshot, 'secrets'> {
  return node.local === null ? redirectedSidecar(reach, node) : localSidecar(reach, node, node.local);
}

function localSidecar(reach: Reach, node: ProxyNode, local: WeftLocal): Omit<ConfigSnapshot, 'secrets'> {
  const inbound = localInbound(reach.mesh, node, local.inbound ?? []);
  const capture: CaptureResources =
    local.capture === undefined
      ? { listeners: [], routes: [], clusters: [] }
      : captureResources(reach, local.capture.port, local.capture.credentialSha256);
  const tcp = (local.tcp ?? []).flatMap((entry) => localTcpListener(reach, entry));
  return {
    listeners: byName([...inbound.listeners, ...capture.listeners, ...tcp]),
    routes: byName(capture.routes),
    clusters: byName([...outboundClusters(reach), ...catchAllClusters(true), ...inbound.clusters, ...capture.clusters]),
  };
}

/** A TCP service on a loopback port of its own; nothing while there is no such service. */
function localTcpListener(reach: Reach, entry: NonNullable<WeftLocal['tcp']>[number]): Listener[] {
  const service = reach.services.get(entry.host);
  const port = service?.ports.find(({ number }) => number === entry.port);
  if (service === undefined || port === undefined) return [];
  const name = `tcp|${port.number}|${service.host}`;
  return [tcpListener(name, socketAddress('127.0.0.1', entry.listenPort), service, port, reach)];
}

function tcpListener(
  name: string,
  address: Listener['address'],
  service: MeshService,
  port: MeshPort,
  reach: Reach,
): Listener {
  const target = serviceTarget(service, port, reach, sidecarContext(reach, port.number));
  return {
    name,
    ...(address === undefined ? {} : { address }),
    filterChains: [{ filters: [serviceTcpProxy(name, target, service, port, reach)] }],
    trafficDirection: 'OUTBOUND',
    metadata: originMetadata(target.origin),
  };
}

function serviceTcpProxy(name: string, target: TcpTarget, service: MeshService, port: MeshPort, reach: Reach) {
  const policy = effectivePolicy(reach.ruleOf(service), '', port.number);
  return tcpProxy(name, target.clusters, policy.connectionPool?.tcp?.idleTimeout);
}

const virtualOutboundPort = 15_001;

/**
 * Istio's shape: a listener per port, `virtualOutbound` and `virtualInbound`. Where nothing redirects, the port listeners are
 * bound on the loopback address, so that an application reaches `reviews:9080` at `127.0.0.1:9080`.
 */
function redirectedSidecar(reach: Reach, node: ProxyNode): Omit<ConfigSnapshot, 'secrets'> {
  const { interception } = node;
  const isRedirected = interception === 'redirect';
  const hasVirtual = interception !== 'none';
  const inbound: InboundResources = hasVirtual ? virtualInbound(reach.mesh, node) : { listeners: [], clusters: [] };
  const httpPorts = portsOf(reach, (port) => isHttp(port.protocol) || port.protocol === 'auto');
  const listeners = new Map(inbound.listeners.map((listener) => [listener.name ?? '', listener]));
  for (const port of httpPorts.keys())
    add(listeners, httpListener(port, httpPorts.get(port) ?? [], isRedirected, reach));
  for (const [port, entries] of portsOf(reach, ({ protocol }) => !isHttp(protocol) && protocol !== 'auto')) {
    for (const service of entries) addTcp(listeners, service, port, isRedirected, reach);
  }
  if (hasVirtual) add(listeners, virtualOutbound());
  return {
    listeners,
    routes: reach.once(`port-routes ${isRedirected}`, () =>
      byName([...httpPorts].map(([port, services]) => portRoutes(port, services, isRedirected, reach))),
    ),
    clusters: byName([...outboundClusters(reach), ...catchAllClusters(!isRedirected), ...inbound.clusters]),
  };
}

function add(listeners: Map<string, Listener>, listener: Listener): void {
  const name = listener.name ?? '';
  if (!listeners.has(name)) listeners.set(name, listener);
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

function bindFields(port: number, isRedirected: boolean, address = '0.0.0.0'): Listener {
  const fields: Listener = { name: `${address}_${port}`, trafficDirection: 'OUTBOUND' };
  return isRedirected
    ? { ...fields, address: socketAddress(address, port), bindToPort: false }
    : { ...fields, address: socketAddress('127.0.0.1', port) };
}

function httpListener(port: number, services: readonly MeshService[], isRedirected: boolean, reach: Reach): Listener {
  const manager = connectionManager({
    statPrefix: `outbound_0.0.0.0_${port}`,
    routes: String(port),
    httpFilters: [faultFilter, routerFilter],
  });
  const undeclared = services.find((service) => portOf(service, port)?.protocol === 'auto');
  const declared = services.some((service) => portOf(service, port)?.protocol !== 'auto');
  if (undeclared === undefined || declared)
    return { ...bindFields(port, isRedirected), filterChains: [{ filters: [manager] }] };
  const target = { clusters: [{ name: passthroughCluster, weight: 1 }] };
  const otherwise = isRedirected ? target : undeclaredTarget(undeclared, port, reach);
  return {
    ...bindFields(port, isRedirected),
    ...detection([tlsInspector, httpInspector], outboundDetectionMs),
    filterChains: [{ filterChainMatch: { applicationProtocols: plainHttp }, filters: [manager] }],
    defaultFilterChain: { filters: [tcpProxy(`outbound_0.0.0.0_${port}`, otherwise.clusters)] },
  };
}

function undeclaredTarget(service: MeshService, number: number, reach: Reach): Pick<TcpTarget, 'clusters'> {
  const port = portOf(service, number);
  return port === undefined ? { clusters: [] } : serviceTarget(service, port, reach, sidecarContext(reach, number));
}

function portOf(service: MeshService, number: number): MeshPort | undefined {
  return service.ports.find((port) => port.number === number);
}

/** TCP services are told apart by address; without one the first service of a port has it. */
function addTcp(
  listeners: Map<string, Listener>,
  service: MeshService,
  number: number,
  isRedirected: boolean,
  reach: Reach,
): void {
  const port = portOf(service, number);
  if (port === undefined) return;
  const addresses = service.addresses.length > 0 && isRedirected ? service.addresses : ['0.0.0.0'];
  for (const address of addresses) {
    const fields = bindFields(number, isRedirected, address);
    add(listeners, { ...tcpListener(fields.name ?? '', fields.address, service, port, reach), ...fields });
  }
}

function virtualOutbound(): Listener {
  return {
    name: 'virtualOutbound',
    address: socketAddress('0.0.0.0', virtualOutboundPort),
    useOriginalDst: true,
    listenerFilters: [originalDestination],
    filterChains: [{ filters: [tcpProxy(passthroughCluster, [{ name: passthroughCluster, weight: 1 }])] }],
    trafficDirection: 'OUTBOUND',
  };
}

/** The routes of one port over all services that have it. */
function portRoutes(
  number: number,
  services: readonly MeshService[],
  isRedirected: boolean,
  reach: Reach,
): RouteConfiguration {
  const hosts: VirtualHost[] = [];
  for (const service of services) {
    const port = portOf(service, number);
    if (port !== undefined) hosts.push(portVirtualHost(service, port, reach));
  }
  for (const { item, host } of extraHosts(reach)) hosts.push(extraVirtualHost(item, host, number, reach));
  hosts.push(fallbackVirtualHost(reach, [], !isRedirected));
  return { name: String(number), virtualHosts: withoutRepeatedDomains(hosts), validateClusters: false };
}

/** On this port a name without one means this port. */
function portVirtualHost(service: MeshService, port: MeshPort, reach: Reach): VirtualHost {
  const withPort = serviceDomains(service, port, reach).filter((domain) => domain.endsWith(`:${port.number}`));
  const bare = withPort.map((domain) => domain.slice(0, domain.lastIndexOf(':')));
  const addresses = service.addresses.filter((address) => !address.includes('/'));
  return {
    name: `${service.host}:${port.number}`,
    domains: [...bare, ...withPort, ...addresses, ...addresses.map((address) => `${address}:${port.number}`)],
    routes: serviceRoutes(service, port, reach),
    metadata: originMetadata(service.origin),
  };
}
