// All that a gateway proxy gets: listeners for the servers of the Gateways it serves, routes of the VirtualServices bound to them.

import type { GatewayServer } from '@weft/api/resource/gateway';
import type { Origin } from '@weft/lib/issue';
import { type GatewayItem, gatewaysOf, type OfferedHost, parseOfferedHost } from '../model/gateway.ts';
import { originOf } from '../model/sourced.ts';
import { gatewayListener } from './gateway-listener.ts';
import { gatewayRouteTable } from './gateway-route.ts';
import { catchAllClusters, outboundClusters } from './outbound-clusters.ts';
import type { Reach } from './reach.ts';
import { referencedClusters } from './referenced-cluster.ts';
import { byName, type ConfigSnapshot, type Listener, type RouteConfiguration } from './snapshot.ts';

/** One server of one Gateway, as this proxy offers it. */
export interface OfferedServer {
  readonly gateway: GatewayItem;
  /** `namespace/name`, as VirtualServices bind to it. */
  readonly gatewayName: string;
  readonly server: GatewayServer;
  readonly hosts: readonly OfferedHost[];
  readonly origin: Origin;
  readonly bindAddress: string;
  readonly bindPort: number;
}

/** What kind of traffic a server takes. */
export type ServerKind = 'http' | 'https' | 'tls' | 'tcp';

/** HTTP, HTTPS that ends here, TLS that is routed by name (`tls`: passed through or ended to TCP), or TCP. */
export function serverKind({ port, tls }: GatewayServer): ServerKind {
  const protocol = port.protocol.toUpperCase();
  if (protocol === 'TCP' || protocol === 'MONGO') return tls === undefined ? 'tcp' : 'tls';
  if (protocol === 'TLS') return 'tls';
  if (protocol !== 'HTTPS') return 'http';
  return tls?.mode === 'PASSTHROUGH' || tls?.mode === 'AUTO_PASSTHROUGH' ? 'tls' : 'https';
}

export function gatewaySnapshot(reach: Reach): Omit<ConfigSnapshot, 'secrets'> {
  const byPort = new Map<string, OfferedServer[]>();
  for (const server of offeredServers(reach)) {
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
  const clusters = outboundClusters(reach).filter(({ name }) => wanted.has(name ?? ''));
  return {
    listeners: byName(listeners),
    routes: byName(routes),
    clusters: byName([...clusters, ...catchAllClusters().filter(({ name }) => wanted.has(name ?? ''))]),
  };
}

/** Every server that this proxy serves, with the port it really binds. */
function offeredServers(reach: Reach): OfferedServer[] {
  const { caller, mesh } = reach;
  const mapping = caller.local?.gateway;
  return gatewaysOf(mesh.gateways, caller.labels).flatMap((gateway) =>
    (gateway.spec.servers ?? []).map((server, index) => ({
      gateway,
      gatewayName: `${gateway.namespace}/${gateway.name}`,
      server,
      hosts: server.hosts.map((entry) => parseOfferedHost(entry, gateway.namespace, mesh.settings)),
      origin: originOf(gateway, `spec.servers[${index}]`),
      bindAddress: server.bind ?? (caller.local === null ? '0.0.0.0' : '127.0.0.1'),
      bindPort: mapping?.[String(server.port.number)] ?? server.port.number,
    })),
  );
}

/** The table of a plain HTTP port is shared by its servers; each HTTPS server has its own. */
export function routeTableName({ server, gatewayName, bindPort }: OfferedServer): string {
  if (serverKind(server) === 'http') return `http.${bindPort}`;
  return `https.${server.port.number}.${server.port.name}.${gatewayName.split('/').reverse().join('.')}`;
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
