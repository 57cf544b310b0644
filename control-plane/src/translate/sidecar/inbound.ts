// The listeners and clusters in front of a workload itself.

import type { Origin } from '@weft/lib/issue';
import { endpointKey } from '../../model/endpoint.ts';
import { labelsFit } from '../../model/host.ts';
import type { MeshModel } from '../../model/mesh.ts';
import type { Protocol } from '../../model/protocol.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import type { SettledMutualTls } from '../../model/settings.ts';
import { policyMetadata } from '../authorization/policy-metadata.ts';
import type { PortAuthorization } from '../authorization/rbac-filters.ts';
import { upstreamProtocolOptions } from '../cluster/upstream-protocol.ts';
import { inboundCluster } from '../cluster-name.ts';
import { detection, inboundDetectionMs, patientDetectionMs } from '../detection.ts';
import { httpInspector, originalDestination, tlsInspector } from '../filters.ts';
import { socketAddress } from '../message.ts';
import type { LocalInbound, ProxyNode } from '../proxy-node.ts';
import type { Cluster, Listener } from '../snapshot.ts';
import { type FilterChain, inboundChains } from './inbound-chains.ts';
import { blackHoleChain, familiesOf, wildcardAddress } from './virtual-outbound.ts';

export interface InboundResources {
  readonly listeners: readonly Listener[];
  readonly clusters: readonly Cluster[];
}

/** A local workload: one listener per port, on the loopback address. */
export function localInbound(mesh: MeshModel, node: ProxyNode, ports: readonly LocalInbound[]): InboundResources {
  return {
    listeners: ports.map((port) => localListener(mesh, node, port)),
    clusters: ports.map(localCluster),
  };
}

function localListener(mesh: MeshModel, node: ProxyNode, port: LocalInbound): Listener {
  // Policies name the port as the service calls it or as the process listens on it; the sidecar's own is chance.
  const ports = [port.targetPort, port.servicePort];
  const mode = mesh.peerAuthentications.modeOf(node, ports);
  const { filterChains, listenerFilters } = inboundChains({
    statPrefix: `inbound_${port.servicePort}`,
    cluster: inboundCluster(port.servicePort),
    protocol: port.protocol,
    mode,
    authorization: authorizationOf(mesh, node, ports),
    tellsMethodsApart: node.isWeft,
    speaksHttp2: node.speaksHttp2,
    match: {},
  });
  return {
    name: `inbound|${port.servicePort}|${port.name}`,
    address: socketAddress('127.0.0.1', port.listenPort),
    filterChains,
    ...detection(listenerFilters, waitMs([mode])),
    trafficDirection: 'INBOUND',
    ...policyMetadata(servedOrigin(mesh, node, port.servicePort), mesh.authorizations.of(node)),
  };
}

function waitMs(modes: readonly SettledMutualTls[]): number {
  return modes.every((mode) => mode === 'STRICT') ? patientDetectionMs : inboundDetectionMs;
}

function localCluster({ servicePort, targetPort, protocol }: LocalInbound): Cluster {
  const name = inboundCluster(servicePort);
  const endpoint = { address: socketAddress('127.0.0.1', targetPort) };
  return {
    name,
    type: 'STATIC',
    connectTimeout: { seconds: 10 },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
    ...spokenBehind(protocol),
  };
}

/** The application gets HTTP/2 where it declares it. */
function spokenBehind(protocol: Protocol): Cluster {
  const options = upstreamProtocolOptions(protocol, {});
  return options === undefined ? {} : { typedExtensionProtocolOptions: options };
}

function authorizationOf(mesh: MeshModel, node: ProxyNode, ports: readonly number[] | null): PortAuthorization {
  return { policies: mesh.authorizations.of(node), settings: mesh.settings, ports };
}

/** The service by which callers know the port; null while there is none. */
function servedOrigin(mesh: MeshModel, node: ProxyNode, servicePort: number): Origin | null {
  const hasPort = ({ ports }: MeshService) => ports.some(({ number }) => number === servicePort);
  const served = mesh.services.find((service) => service.selector !== null && isOwn(service, node) && hasPort(service));
  return served?.origin ?? null;
}

const inboundPassthrough = 'InboundPassthroughCluster';

/** A workload whose connections are redirected: one listener, a chain per port of the services it stands behind. */
export function virtualInbound(mesh: MeshModel, node: ProxyNode): InboundResources {
  const { inboundPort } = node.capturePorts;
  const ports = servedPorts(mesh, node);
  const filterChains: FilterChain[] = [];
  const modes: SettledMutualTls[] = [];
  for (const { port, workloadPort } of ports.values()) {
    // A policy means the workload's port here, as in Istio, also where the service calls it by the number of another.
    const mode = mesh.peerAuthentications.modeOf(node, [workloadPort]);
    modes.push(mode);
    const chains = inboundChains({
      statPrefix: `inbound_0.0.0.0_${workloadPort}`,
      cluster: inboundCluster(workloadPort),
      protocol: port.protocol,
      mode,
      authorization: authorizationOf(mesh, node, [workloadPort]),
      tellsMethodsApart: node.isWeft,
      speaksHttp2: node.speaksHttp2,
      match: { destinationPort: workloadPort },
    });
    filterChains.push(...chains.filterChains);
  }
  const unserved = mesh.peerAuthentications.portsOf(node).filter((number) => !ports.has(number));
  for (const port of [...unserved, null]) {
    const mode = mesh.peerAuthentications.modeOf(node, port === null ? [] : [port]);
    modes.push(mode);
    filterChains.push(...passthroughChains(mesh, node, mode, port));
  }
  return {
    listeners: [
      {
        name: 'virtualInbound',
        address: wildcardAddress(node, inboundPort).address,
        useOriginalDst: true,
        ...(node.interception === 'tproxy' ? { transparent: true } : {}),
        ...detection([originalDestination, tlsInspector, httpInspector], waitMs(modes)),
        filterChains: [blackHoleChain('virtualInbound-blackhole', inboundPort), ...filterChains],
        trafficDirection: 'INBOUND',
        ...policyMetadata(null, mesh.authorizations.of(node)),
      },
    ],
    clusters: [
      ...[...ports.values()].map(({ port, workloadPort }) => ({
        ...ownDestination(inboundCluster(workloadPort), node),
        ...spokenBehind(port.protocol),
      })),
      ownDestination(inboundPassthrough, node),
    ],
  };
}

/** What no service stands for is guarded like the rest: one port that has a mode of its own, or (null) all others. */
function passthroughChains(
  mesh: MeshModel,
  node: ProxyNode,
  mode: SettledMutualTls,
  port: number | null,
): readonly FilterChain[] {
  return inboundChains({
    statPrefix: inboundPassthrough,
    cluster: inboundPassthrough,
    protocol: 'auto',
    mode,
    authorization: authorizationOf(mesh, node, port === null ? null : [port]),
    tellsMethodsApart: node.isWeft,
    speaksHttp2: node.speaksHttp2,
    match: port === null ? {} : { destinationPort: port },
  }).filterChains;
}

/** To the address that the caller meant, from an address that the redirection leaves alone. */
function ownDestination(name: string, node: ProxyNode): Cluster {
  return {
    name,
    type: 'ORIGINAL_DST',
    connectTimeout: { seconds: 10 },
    lbPolicy: 'CLUSTER_PROVIDED',
    upstreamBindConfig: ownSource(node),
  };
}

function ownSource(node: ProxyNode): Cluster['upstreamBindConfig'] {
  const { v4, v6 } = familiesOf(node);
  const six = { address: '::6', portValue: 0 };
  if (!v4) return { sourceAddress: six };
  const four = { address: '127.0.0.6', portValue: 0 };
  return { sourceAddress: four, ...(v6 ? { extraSourceAddresses: [{ address: six }] } : {}) };
}

interface ServedPort {
  readonly port: MeshPort;
  readonly workloadPort: number;
}

/** Ports of the services that have this very workload among their endpoints, by the workload's port. */
function servedPorts(mesh: MeshModel, node: ProxyNode): ReadonlyMap<number, ServedPort> {
  const ports = new Map<number, ServedPort>();
  for (const service of mesh.services) {
    if (service.isExternal) continue;
    for (const port of service.ports) {
      for (const workloadPort of ownPorts(mesh, node, service, port)) {
        if (!ports.has(workloadPort)) ports.set(workloadPort, { port, workloadPort });
      }
    }
  }
  return ports;
}

function ownPorts(mesh: MeshModel, node: ProxyNode, service: MeshService, port: MeshPort): readonly number[] {
  if (!isOwn(service, node)) return [];
  const endpoints = mesh.endpoints.get(endpointKey(service, port)) ?? [];
  return endpoints.filter(({ address }) => node.addresses.includes(address)).map((endpoint) => endpoint.port);
}

function isOwn({ namespace, selector }: MeshService, node: ProxyNode): boolean {
  return namespace === node.namespace && (selector === null || labelsFit(selector, node.labels));
}
