// Which services of the mesh speak plain TCP: clients reach them by a port of their own sidecar, as no proxy setting helps there.
import type { ApiObject } from '../mesh-api/client.ts';

/** A TCP port of a service. */
export interface TcpPort {
  readonly host: string;
  readonly service: string;
  readonly portName: string;
  readonly port: number;
}

/** What Istio takes for bytes; TLS and HTTPS are bytes too, as their end is in the application. */
const tcpProtocols = new Set([
  'tcp',
  'tls',
  'redis',
  'mysql',
  'mongo',
  'postgres',
  'postgresql',
  'memcached',
  'amqp',
  'kafka',
  'https',
]);

interface PortSpec {
  readonly name?: string;
  readonly port?: number;
  readonly number?: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
}

/** Istio's rule: `appProtocol`, else the prefix of the port's name up to the first dash; empty when neither tells. */
export function protocolOf(port: PortSpec): string {
  const declared = port.appProtocol ?? port.name ?? '';
  if (port.appProtocol !== undefined) return declared.toLowerCase();
  const name = declared.toLowerCase();
  return name.startsWith('grpc-web') ? 'grpc-web' : (name.split('-')[0] ?? '');
}

/** The TCP ports of Services, in the order of their names. Ports whose protocol is not declared are HTTP or detected, not offered here. */
export function tcpPortsOf(services: Iterable<ApiObject>): TcpPort[] {
  const found: TcpPort[] = [];
  for (const service of services) {
    const { name, namespace = 'default' } = service.metadata;
    const spec = service.spec as { ports?: readonly PortSpec[] } | undefined;
    for (const port of spec?.ports ?? []) {
      if (port.protocol === 'UDP' || port.protocol === 'SCTP' || port.port === undefined) continue;
      const protocol = protocolOf(port);
      if (!tcpProtocols.has(protocol)) continue;
      found.push({
        host: `${name}.${namespace}.svc.cluster.local`,
        service: name,
        portName: port.name ?? '',
        port: port.port,
      });
    }
  }
  return found.sort((a, b) => a.host.localeCompare(b.host) || a.port - b.port);
}
