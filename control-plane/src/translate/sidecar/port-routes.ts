// The routes of one port number over all services that have it, as sidecars in Istio's shape ask for them.

import type { MeshPort, MeshService } from '../../model/service.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import { bodyLimit } from '../route/http-action.ts';
import {
  extraVirtualHosts,
  fallbackVirtualHost,
  serviceDomains,
  serviceRoutes,
  type VirtualHost,
  withoutRepeatedDomains,
} from '../route/virtual-host.ts';
import type { RouteConfiguration } from '../snapshot.ts';

export function portOf(service: MeshService, number: number): MeshPort | undefined {
  return service.ports.find((port) => port.number === number);
}

export function portRoutes(
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
  for (const made of extraVirtualHosts(number, reach)) hosts.push(made);
  hosts.push(fallbackVirtualHost(reach, [], !isRedirected));
  return { name: String(number), virtualHosts: withoutRepeatedDomains(hosts), validateClusters: false, ...bodyLimit };
}

/** On this port a name without one means this port. */
function portVirtualHost(service: MeshService, port: MeshPort, reach: Reach): VirtualHost {
  const withPort = serviceDomains(service, port, reach).filter((domain) => domain.endsWith(`:${port.number}`));
  const bare = withPort.map((domain) => domain.slice(0, domain.lastIndexOf(':')));
  const addresses = service.addresses.filter((address) => !address.includes('/')).map(inUrl);
  return {
    name: `${service.host}:${port.number}`,
    domains: [...bare, ...withPort, ...addresses, ...addresses.map((address) => `${address}:${port.number}`)],
    routes: serviceRoutes(service, port, reach),
    metadata: originMetadata(service.origin),
  };
}

function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
