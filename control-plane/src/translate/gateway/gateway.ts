// All that a gateway proxy gets: listeners for the servers of the Gateways it serves, routes of the VirtualServices bound to them.

import type { GatewayServer } from '@weft/api/resource/gateway';
import type { WorkloadAuthorization } from '../../model/authorization.ts';
import { type GatewayItem, gatewaysOf, parseOfferedHost } from '../../model/gateway.ts';
import type { MeshModel } from '../../model/mesh.ts';
import { originOf } from '../../model/sourced.ts';
import { catchAllClusters, outboundClusters } from '../cluster/outbound-clusters.ts';
import type { ProxyNode } from '../proxy-node.ts';
import type { Reach } from '../reach.ts';
import { referencedClusters } from '../referenced-cluster.ts';
import { byName, type ConfigSnapshot, type Listener, type RouteConfiguration } from '../snapshot.ts';
import { gatewayListener } from './gateway-listener.ts';
import { gatewayRouteTable } from './gateway-route.ts';
import { type OfferedServer, routeTableName, serverKind } from './offered-server.ts';

export function gatewaySnapshot(reach: Reach, node: ProxyNode): Omit<ConfigSnapshot, 'secrets'> {
  const byPort = new Map<string, OfferedServer[]>();
  for (const server of offeredServers(reach.mesh, node)) {
    const key = `${server.bindAddress}_${server.bindPort}`;
    const list = byPort.get(key);
    if (list === undefined) byPort.set(key, [server]);
    else list.push(server);
  }
  const listeners: Listener[] = [];
  const routes: RouteConfiguration[] = [];
  for (const [name, servers] of byPort) {
    const listener = gatewayListener(name, servers, reach);
    if (listener === null) continue;
    listeners.push(listener);
    for (const table of routeTables(servers)) routes.push(gatewayRouteTable(table.name, table.servers, reach));
  }
  const wanted = referencedClusters(routes, listeners);
  const clusters = outboundClusters(reach, node).filter(({ name }) => wanted.has(name ?? ''));
  return {
    listeners: byName(listeners),
    routes: byName(routes),
    clusters: byName([...clusters, ...catchAllClusters(true).filter(({ name }) => wanted.has(name ?? ''))]),
  };
}

/** Every server that this proxy serves, with the port it really binds. */
function offeredServers(mesh: MeshModel, node: ProxyNode): OfferedServer[] {
  const policies = mesh.authorizations.of(node);
  return gatewaysOf(mesh.gateways, node.labels).flatMap((gateway) => {
    const seen = new Map<string, number>();
    return (gateway.spec.servers ?? []).map((server, index) => {
      const port = `${server.port.number} ${server.port.name}`;
      const namesake = seen.get(port) ?? 0;
      seen.set(port, namesake + 1);
      return { ...offeredServer(gateway, server, index, { mesh, node, policies }), namesake };
    });
  });
}

interface GatewayView {
  readonly mesh: MeshModel;
  readonly node: ProxyNode;
  readonly policies: WorkloadAuthorization;
}

function offeredServer(
  gateway: GatewayItem,
  server: GatewayServer,
  index: number,
  { mesh, node, policies }: GatewayView,
): Omit<OfferedServer, 'namesake'> {
  const { number } = server.port;
  const bindPort = node.local?.gateway?.[String(number)] ?? number;
  return {
    gateway,
    gatewayName: `${gateway.namespace}/${gateway.name}`,
    server,
    hosts: server.hosts.map((entry) => parseOfferedHost(entry, gateway.namespace, mesh.settings)),
    origin: originOf(gateway, `spec.servers[${index}]`),
    bindAddress: server.bind ?? (node.local === null ? '0.0.0.0' : '127.0.0.1'),
    alpnProtocols: node.speaksHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    bindPort,
    // Policies name the port as the Gateway does; the one that is bound may be chance.
    authorization: { policies, settings: mesh.settings, ports: [number, bindPort] },
  };
}

function routeTables(servers: readonly OfferedServer[]): { name: string; servers: OfferedServer[] }[] {
  const tables = new Map<string, OfferedServer[]>();
  for (const server of servers) {
    const kind = serverKind(server.server);
    if (kind !== 'http' && kind !== 'https') continue;
    const name = routeTableName(server);
    const list = tables.get(name);
    if (list === undefined) tables.set(name, [server]);
    else list.push(server);
  }
  return [...tables].map(([name, members]) => ({ name, servers: members }));
}
