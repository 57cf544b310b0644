// Explicit capture: the forward-proxy listener of a local sidecar, its routes, and the tunnels of CONNECT.
// docs/decisions/0005-explicit-capture.md draws the whole.

import type { envoy } from '@weft/api/xds/types';
import { isHttp } from '../../model/protocol.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { blackHoleCluster, passthroughCluster } from '../cluster-name.ts';
import { detection, outboundDetectionMs } from '../detection.ts';
import {
  captureAuthFilter,
  connectionManager,
  grpcStatsFilters,
  type HttpFilter,
  httpInspector,
  plainHttp,
  routeFilters,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from '../filters.ts';
import { durationOf, noTimeout, socketAddress } from '../message.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import { bodyLimit } from '../route/http-action.ts';
import { matchAll } from '../route/http-match.ts';
import { serviceTarget, type TcpTarget } from '../route/tcp-target.ts';
import {
  extraVirtualHosts,
  fallbackVirtualHost,
  notInMesh,
  type Route,
  serviceDomains,
  serviceRoutes,
  sidecarContext,
  toOwnDestination,
  type VirtualHost,
  withoutRepeatedDomains,
} from '../route/virtual-host.ts';
import type { Cluster, Listener, RouteConfiguration } from '../snapshot.ts';

type RouteAction = envoy.config.route.v3.RouteAction;

const captureRoutes = 'capture';
const tunnelName = 'capture_tunnel';

/** What explicit capture adds to a sidecar. */
export interface CaptureResources {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  readonly clusters: readonly Cluster[];
}

export function captureResources(reach: Reach, port: number, credentialSha256: string | undefined): CaptureResources {
  const undeclared = undeclaredPorts(reach);
  const httpFilters = serviceFilters(reach);
  const blackHole = { clusters: [{ name: blackHoleCluster, weight: 1 }] };
  const tunnels = undeclared.map(({ service, port: servicePort }) => {
    const target = serviceTarget(service, servicePort, reach, sidecarContext(reach, servicePort.number));
    return tunnelListener(tunnelOf(service, servicePort), target, httpFilters);
  });
  return {
    listeners: [
      captureListener(port, credentialSha256, httpFilters),
      tunnelListener(tunnelName, blackHole, httpFilters),
      ...tunnels,
    ],
    routes: [reach.once('capture-routes', () => captureRouteTable(reach))],
    clusters: [
      tunnelCluster(tunnelName),
      ...undeclared.map((entry) => tunnelCluster(tunnelOf(entry.service, entry.port))),
    ],
  };
}

/** One listener serves all services, so gRPC-Web is left to the sidecars of those that want it. */
function serviceFilters(reach: Reach): readonly HttpFilter[] {
  const protocols = [...reach.services.values()].flatMap(({ ports }) => ports.map(({ protocol }) => protocol));
  return [...grpcStatsFilters(protocols, false), ...routeFilters, routerFilter];
}

function undeclaredPorts(reach: Reach): { readonly service: MeshService; readonly port: MeshPort }[] {
  return [...reach.services.values()].flatMap((service) =>
    service.ports.filter(({ protocol }) => protocol === 'auto').map((port) => ({ service, port })),
  );
}

function tunnelOf(service: MeshService, port: MeshPort): string {
  return `${tunnelName}|${port.number}|${service.host}`;
}

function captureListener(
  port: number,
  credentialSha256: string | undefined,
  httpFilters: readonly HttpFilter[],
): Listener {
  const auth = credentialSha256 === undefined ? [] : [captureAuthFilter(credentialSha256)];
  const manager = connectionManager({
    statPrefix: 'capture',
    routes: captureRoutes,
    httpFilters: [...auth, ...httpFilters],
    upgrades: ['websocket', 'CONNECT'],
  });
  return {
    name: 'capture',
    address: socketAddress('127.0.0.1', port),
    filterChains: [{ filters: [manager] }],
    trafficDirection: 'OUTBOUND',
  };
}

function tunnelListener(
  name: string,
  otherwise: Omit<TcpTarget, 'origin'>,
  httpFilters: readonly HttpFilter[],
): Listener {
  const manager = connectionManager({
    statPrefix: tunnelName,
    routes: captureRoutes,
    httpFilters,
  });
  return {
    name,
    internalListener: {},
    ...detection([tlsInspector, httpInspector], outboundDetectionMs),
    filterChains: [{ filterChainMatch: { applicationProtocols: plainHttp }, filters: [manager] }],
    defaultFilterChain: { filters: [tcpProxy(name, otherwise.clusters, otherwise)] },
    trafficDirection: 'OUTBOUND',
  };
}

function tunnelCluster(name: string): Cluster {
  const endpoint = { address: { envoyInternalAddress: { serverListenerName: name } } };
  return {
    name,
    type: 'STATIC',
    connectTimeout: { seconds: 10 },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
  };
}

function captureRouteTable(reach: Reach): RouteConfiguration {
  const hosts: VirtualHost[] = [];
  for (const service of reach.services.values()) {
    for (const port of service.ports) hosts.push(serviceVirtualHost(service, port, reach));
  }
  for (const made of extraVirtualHosts(80, reach)) {
    hosts.push({ ...made, routes: [connectRoute({ cluster: tunnelName }), ...(made.routes ?? [])] });
  }
  hosts.push(fallbackVirtualHost(reach, [fallbackConnectRoute(reach)], true));
  return { name: captureRoutes, virtualHosts: withoutRepeatedDomains(hosts), validateClusters: false, ...bodyLimit };
}

function serviceVirtualHost(service: MeshService, port: MeshPort, reach: Reach): VirtualHost {
  const keepsDestination = service.resolution === 'none';
  return {
    name: `${service.host}:${port.number}`,
    domains: serviceDomains(service, port, reach),
    routes: isHttp(port.protocol)
      ? [connectRoute({ cluster: tunnelName }), ...serviceRoutes(service, port, reach)]
      : otherRoutes(service, port, reach),
    metadata: originMetadata(service.origin),
    ...(keepsDestination ? toOwnDestination : {}),
  };
}

/** Routes of a port that is not declared as HTTP. */
function otherRoutes(service: MeshService, port: MeshPort, reach: Reach): Route[] {
  if (port.protocol === 'auto') {
    return [connectRoute({ cluster: tunnelOf(service, port) }), ...serviceRoutes(service, port, reach)];
  }
  const target = serviceTarget(service, port, reach, sidecarContext(reach, port.number));
  const inlineString =
    `WEFT0611: port ${port.number} of ${service.host} speaks ${port.protocol}, not HTTP, so the request cannot be routed; ` +
    'call it through a tunnel, or declare the port as http\n';
  const refusal: Route = {
    name: 'not-http',
    match: matchAll,
    directResponse: { status: 502, body: { inlineString } },
    metadata: originMetadata(service.origin),
  };
  return [{ ...connectRoute(clusterField(target)), metadata: originMetadata(target.origin) }, refusal];
}

function clusterField({ clusters, idleTimeout, hashesSource }: TcpTarget): RouteAction {
  const [only] = clusters;
  const idle = durationOf(idleTimeout);
  const settings: RouteAction = {
    ...(idle === undefined ? {} : { idleTimeout: idle }),
    ...(hashesSource === true ? { hashPolicy: [{ connectionProperties: { sourceIp: true } }] } : {}),
  };
  if (clusters.length === 1 && only !== undefined) return { cluster: only.name, ...settings };
  return { weightedClusters: { clusters: clusters.map(({ name, weight }) => ({ name, weight })) }, ...settings };
}

/** Ends the tunnel here and sends its bytes on. */
function connectRoute(action: RouteAction): Route {
  return {
    name: 'connect',
    match: { connectMatcher: {} },
    route: { ...action, timeout: noTimeout, upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }] },
  };
}

function fallbackConnectRoute(reach: Reach): Route {
  if (reach.mesh.settings.outboundPolicy === 'ALLOW_ANY') return connectRoute({ cluster: passthroughCluster });
  return notInMesh('connect', { connectMatcher: {} });
}
