// Virtual hosts of a sidecar's routes: one per service port, under every name by which the caller may call it.

import type { envoy } from '@weft/api/xds/types';
import { isHttp } from '../../model/protocol.ts';
import { type MeshPort, type MeshService, serviceNames } from '../../model/service.ts';
import { findVirtualService, meshGateway, type VirtualServiceItem } from '../../model/virtual-service.ts';
import { passthroughCluster } from '../cluster-name.ts';
import { noTimeout, routeTimeouts } from '../message.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import { overwrite } from './header-changes.ts';
import type { ActionContext } from './http-action.ts';
import type { MatchContext } from './http-match.ts';
import { matchAll } from './http-match.ts';
import { defaultRoute, virtualServiceRoutes } from './http-route.ts';

export type VirtualHost = envoy.config.route.v3.VirtualHost;
export type Route = envoy.config.route.v3.Route;

/** Tells the pass-through cluster where the request was meant to go. */
export const toOwnDestination = { requestHeadersToAdd: [overwrite('x-envoy-original-dst-host', '%REQ(:AUTHORITY)%')] };

/** What is known of a sidecar as the caller of a port. */
export function sidecarContext(reach: Reach, port: number): MatchContext {
  const { namespace, labels } = reach.caller;
  return { namespace, labels, gateways: [meshGateway], port };
}

/** The routes of a service port in a sidecar: its VirtualService's, else straight to it. None of a rule fits: the service itself. */
export function serviceRoutes(service: MeshService, port: MeshPort, reach: Reach): Route[] {
  const item = findVirtualService(reach.mesh.virtualServices, service.host, reach.caller.namespace);
  const routes = item === null ? [] : itemRoutes(item, port.number, reach);
  return routes.length > 0 ? routes : [defaultRoute(service, port, reach)];
}

function itemRoutes(item: VirtualServiceItem, port: number, reach: Reach): Route[] {
  const context: ActionContext = { ...sidecarContext(reach, port), reach, owner: item.namespace, hasTls: false };
  return virtualServiceRoutes(item, context);
}

/** The port of a service that its bare names mean: 80, else its only HTTP port. */
export function barePort(service: MeshService): MeshPort | null {
  const eighty = service.ports.find((port) => port.number === 80);
  if (eighty !== undefined) return eighty;
  const [only, ...more] = service.ports.filter((port) => isHttp(port.protocol) || port.protocol === 'auto');
  return more.length === 0 && only !== undefined ? only : null;
}

/** The domains of a service port: each name with the port, and the bare names where they mean this port. */
export function serviceDomains(service: MeshService, port: MeshPort, reach: Reach): string[] {
  const names = serviceNames(service, reach.caller.namespace, reach.mesh.settings.clusterDomain);
  const withPort = names.map((name) => `${name}:${port.number}`);
  if (barePort(service) !== port) return withPort;
  const atEighty = port.number === 80 ? [] : names.map((name) => `${name}:80`);
  return [...withPort, ...names, ...atEighty];
}

/** Virtual hosts of hosts that only a VirtualService knows, where some rule of it can fit: others are names like any other. */
export function extraVirtualHosts(port: number, reach: Reach): VirtualHost[] {
  return extraHosts(reach)
    .map(({ item, host }) => extraVirtualHost(item, host, port, reach))
    .filter(({ routes = [] }) => routes.length > 0);
}

/** VirtualServices of sidecars for hosts that no service has, with those hosts. */
function extraHosts(reach: Reach): { readonly item: VirtualServiceItem; readonly host: string }[] {
  const found: { item: VirtualServiceItem; host: string }[] = [];
  const seen = new Set<string>();
  for (const item of reach.mesh.virtualServices) {
    if (!item.gateways.includes(meshGateway) || (item.spec.http ?? []).length === 0) continue;
    for (const host of item.hosts) {
      if (seen.has(host) || reach.services.has(host)) continue;
      if (findVirtualService(reach.mesh.virtualServices, host, reach.caller.namespace) !== item) continue;
      seen.add(host);
      found.push({ item, host });
    }
  }
  return found;
}

/** The virtual host of a host that only a VirtualService knows, on any port. */
function extraVirtualHost(item: VirtualServiceItem, host: string, port: number, reach: Reach): VirtualHost {
  return {
    name: `${host}:${port}`,
    domains: host.startsWith('*') ? (host === '*' ? ['*'] : [host, `${host}:${port}`]) : [host, `${host}:*`],
    routes: itemRoutes(item, port, reach),
    metadata: originMetadata(item.origin),
  };
}

/**
 * What happens to names that nothing else takes. `first` are routes that come before. `byName` where the connection does not know
 * its own destination, so that the request has to say it.
 */
export function fallbackVirtualHost(reach: Reach, first: readonly Route[], byName: boolean): VirtualHost {
  if (reach.mesh.settings.outboundPolicy === 'REGISTRY_ONLY') {
    const routes = [...first, notInMesh('block_all', matchAll)];
    return { name: 'block_all', domains: ['*'], routes };
  }
  const route: Route = {
    name: 'allow_any',
    match: matchAll,
    route: { cluster: passthroughCluster, ...routeTimeouts(noTimeout) },
  };
  const routes = [...first, route];
  return { name: 'allow_any', domains: ['*'], routes, ...(byName ? toOwnDestination : {}) };
}

/** Where the mesh lets nothing out that it does not know. */
export function notInMesh(name: string, match: Route['match']): Route {
  const inlineString =
    'WEFT0612: this host is no service of the mesh, and the outbound traffic policy REGISTRY_ONLY lets nothing else out; ' +
    'add a ServiceEntry for it, or allow any host\n';
  return { name, match, directResponse: { status: 502, body: { inlineString } } };
}

/** Drops domains that an earlier virtual host has, and virtual hosts left without any. */
export function withoutRepeatedDomains(hosts: readonly VirtualHost[]): VirtualHost[] {
  const taken = new Set<string>();
  return hosts
    .map((host) => {
      const domains = (host.domains ?? []).filter((domain) => !taken.has(domain));
      for (const domain of domains) taken.add(domain);
      return { ...host, domains };
    })
    .filter(({ domains }) => domains.length > 0);
}
