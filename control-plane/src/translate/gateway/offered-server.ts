// One server of one Gateway, as one proxy offers it.

import type { GatewayServer } from '@weft/api/resource/gateway';
import type { Origin } from '@weft/lib/issue';
import type { GatewayItem, OfferedHost } from '../../model/gateway.ts';
import type { PortAuthorization } from '../authorization/rbac-filters.ts';

/** One server of one Gateway, as this proxy offers it. */
export interface OfferedServer {
  readonly gateway: GatewayItem;
  /** `namespace/name`, as VirtualServices bind to it. */
  readonly gatewayName: string;
  readonly server: GatewayServer;
  /** How many servers before it in the Gateway have the same port by number and name. */
  readonly namesake: number;
  readonly hosts: readonly OfferedHost[];
  readonly origin: Origin;
  readonly bindAddress: string;
  readonly bindPort: number;
  /** The AuthorizationPolicies of the gateway proxy itself, in front of this port. */
  readonly authorization: PortAuthorization;
  /** What is offered to clients of an HTTPS server. */
  readonly alpnProtocols: readonly string[];
}

/** What kind of traffic a server takes. */
export type ServerKind = 'http' | 'https' | 'tls' | 'tcp';

/** HTTP, HTTPS that ends here, TLS that is routed by name (`tls`: passed through or ended to TCP), or TCP. */
export function serverKind({ port, tls }: GatewayServer): ServerKind {
  const protocol = port.protocol.toUpperCase();
  if (protocol === 'TCP' || protocol === 'MONGO') return tls === undefined ? 'tcp' : 'tls';
  if (protocol === 'TLS') return 'tls';
  if (protocol !== 'HTTPS') return 'http';
  return passesThrough({ tls }) ? 'tls' : 'https';
}

/** Whether TLS is passed on unread, which is what a server gets that names no mode. */
export function passesThrough({ tls }: Pick<GatewayServer, 'tls'>): boolean {
  return tls?.mode === undefined || tls.mode === 'PASSTHROUGH' || tls.mode === 'AUTO_PASSTHROUGH';
}

/** The table of a plain HTTP port is shared by its servers; each HTTPS server has its own. */
export function routeTableName({ server, gatewayName, bindPort, namesake }: OfferedServer): string {
  if (serverKind(server) === 'http') return `http.${bindPort}`;
  const name = `https.${server.port.number}.${server.port.name}.${gatewayName.split('/').reverse().join('.')}`;
  // What one server asks of its clients must not be evaded by way of another.
  return namesake === 0 ? name : `${name}.${namesake}`;
}
