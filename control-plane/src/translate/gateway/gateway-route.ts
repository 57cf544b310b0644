// The route table of a gateway's HTTP servers: a virtual host per host, its routes from every VirtualService bound to it.

import type { envoy } from '@weft/api/xds/types';
import { bySpecificity, hostIntersection, isVisible } from '../../model/host.ts';
import type { VirtualServiceItem } from '../../model/virtual-service.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import { bodyLimit } from '../route/http-action.ts';
import { isCatchAll } from '../route/http-match.ts';
import { virtualServiceRoutes } from '../route/http-route.ts';
import type { RouteConfiguration } from '../snapshot.ts';
import type { OfferedServer } from './offered-server.ts';

type Route = envoy.config.route.v3.Route;
type VirtualHost = envoy.config.route.v3.VirtualHost;

/** What is gathered for one host before it becomes a virtual host. */
interface HostDraft {
  readonly offers: Offer[];
  readonly first: VirtualServiceItem | null;
}

interface Offer {
  readonly server: OfferedServer;
  readonly routes: readonly Route[];
}

export function gatewayRouteTable(name: string, servers: readonly OfferedServer[], reach: Reach): RouteConfiguration {
  const drafts = new Map<string, HostDraft>();
  for (const server of servers) {
    for (const item of boundServices(server, reach)) addService(drafts, item, server, reach);
    if (server.server.tls?.httpsRedirect === true) addRedirects(drafts, server);
  }
  const hosts = [...drafts].sort(([a], [b]) => bySpecificity(a, b)).map(([host, draft]) => virtualHost(host, draft));
  // What stands in front of a gateway may show clients any port.
  return { name, virtualHosts: hosts, validateClusters: false, ignorePortInHostMatching: true, ...bodyLimit };
}

/** VirtualServices that name the server's Gateway and are seen from it, or from where the proxy is that serves it. */
export function boundServices({ gatewayName, gateway }: OfferedServer, reach: Reach): VirtualServiceItem[] {
  const viewers = [gateway.namespace, reach.caller.namespace];
  return reach.mesh.virtualServices.filter(
    ({ gateways, namespace, spec }) =>
      gateways.includes(gatewayName) && viewers.some((viewer) => isVisible(spec.exportTo, namespace, viewer)),
  );
}

/** The hosts that a server and a VirtualService have in common. */
export function commonHosts(item: VirtualServiceItem, { hosts }: OfferedServer): string[] {
  const common = new Set<string>();
  for (const offered of hosts) {
    if (offered.namespace !== '*' && offered.namespace !== item.namespace) continue;
    for (const host of item.hosts) {
      const shared = hostIntersection(offered.host, host);
      if (shared !== null) common.add(shared);
    }
  }
  return [...common];
}

function addService(
  drafts: Map<string, HostDraft>,
  item: VirtualServiceItem,
  server: OfferedServer,
  reach: Reach,
): void {
  const { namespace, labels } = reach.caller;
  const hosts = commonHosts(item, server);
  if (hosts.length === 0) return;
  const routes = virtualServiceRoutes(item, {
    namespace,
    labels,
    gateways: [server.gatewayName],
    port: server.server.port.number,
    reach,
    owner: item.namespace,
    hasTls: server.server.tls !== undefined,
  });
  for (const host of hosts) {
    const draft = drafts.get(host) ?? { offers: [], first: item };
    draft.offers.push({ server, routes });
    drafts.set(host, draft);
  }
}

/** Appends until a route takes everything. One listener may serve two ports with the same routes: they are needed once. */
function append(routes: Route[], more: readonly Route[]): void {
  const known = new Set(routes.map((route) => JSON.stringify(route)));
  for (const route of more) {
    const last = routes.at(-1);
    if (last !== undefined && isCatchAll(last.match ?? {})) return;
    if (!known.has(JSON.stringify(route))) routes.push(route);
  }
}

/** A server that redirects does so for all its hosts, with a VirtualService or without. */
function addRedirects(drafts: Map<string, HostDraft>, server: OfferedServer): void {
  for (const { host } of server.hosts) {
    const draft = drafts.get(host) ?? { offers: [], first: null };
    draft.offers.push({ server, routes: [] });
    drafts.set(host, draft);
  }
}

function virtualHost(host: string, { offers, first }: HostDraft): VirtualHost {
  const open = openOffers(offers);
  const routes: Route[] = [];
  for (const offer of open.length > 0 ? open : offers) append(routes, offer.routes);
  const one = offers[0]?.server;
  const port = one?.bindPort ?? 0;
  const origin = first?.origin ?? one?.origin;
  return {
    name: `${host}:${port}`,
    domains: [host],
    ...(routes.length > 0 ? { routes } : {}),
    ...(open.length > 0 ? {} : { requireTls: 'ALL' }),
    ...(origin === undefined ? {} : { metadata: originMetadata(origin) }),
  };
}

/**
 * What may be had in the clear. Whoever asks for the redirect wants nothing of the host in the clear, whatever else is offered
 * beside it on that port; another port is another matter, also where one listener serves both, as in a local mesh.
 */
function openOffers(offers: readonly Offer[]): Offer[] {
  const asking = offers.filter(({ server }) => server.server.tls?.httpsRedirect === true);
  const redirecting = new Set(asking.map(({ server }) => server.server.port.number));
  return offers.filter(({ server }) => !redirecting.has(server.server.port.number));
}
