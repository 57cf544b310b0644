// The listener of one bound port of a gateway: one chain for plain HTTP or TCP, one per server name for TLS.

import type { envoy } from '@weft/api/xds/types';
import { hostCovers } from '../../model/host.ts';
import { protocolOf } from '../../model/protocol.ts';
import { policyMetadata } from '../authorization/policy-metadata.ts';
import { httpRbacFilters, networkRbacFilters } from '../authorization/rbac-filters.ts';
import { blackHoleCluster } from '../cluster-name.ts';
import {
  connectionManager,
  corsFilter,
  faultFilter,
  grpcStatsFilters,
  grpcWebFilters,
  type NetworkFilter,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from '../filters.ts';
import { socketAddress } from '../message.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import { isApplicable, type MatchContext } from '../route/http-match.ts';
import { type TcpTarget, tcpTarget, tlsRuleTarget } from '../route/tcp-target.ts';
import type { Listener } from '../snapshot.ts';
import { boundServices, commonHosts } from './gateway-route.ts';
import { serverSocket } from './gateway-tls.ts';
import { type OfferedServer, passesThrough, routeTableName, serverKind } from './offered-server.ts';

type FilterChain = envoy.config.listener.v3.FilterChain;

/** Null when no server of the port has anything to offer. Plain servers come before TLS ones where a port mixes them. */
export function gatewayListener(name: string, servers: readonly OfferedServer[], reach: Reach): Listener | null {
  const [first] = servers;
  if (first === undefined) return null;
  const isPlainHttp = servers.some(({ server }) => serverKind(server) === 'http');
  const chains = isPlainHttp ? [plainHttpChain(servers)] : otherChains(servers, reach);
  if (chains.every(({ filters }) => filters === closing)) return null;
  const needsName = chains.some(({ filterChainMatch }) => filterChainMatch !== undefined);
  const needsTls = needsName || servers.some(({ server }) => serverKind(server) === 'tls');
  return {
    name,
    address: socketAddress(first.bindAddress, first.bindPort),
    filterChains: chains,
    ...(needsTls ? { listenerFilters: [tlsInspector] } : {}),
    trafficDirection: 'OUTBOUND',
    ...policyMetadata(first.origin, first.authorization.policies),
  };
}

function plainHttpChain(servers: readonly OfferedServer[]): FilterChain {
  const plain = servers.find(({ server }) => serverKind(server) === 'http') ?? servers[0];
  return { filters: plain === undefined ? [] : [manager(plain, servers, false)] };
}

/** `servers` are all whose requests come this way. */
function manager(server: OfferedServer, servers: readonly OfferedServer[], hasClientCertificate: boolean) {
  const protocols = servers.map((one) => protocolOf(one.server.port.protocol));
  return connectionManager({
    statPrefix: `outbound_${server.bindAddress}_${server.bindPort}`,
    routes: routeTableName(server),
    // Preflights of browsers carry no credentials, and a refusal is for the page to read: both come before the policies.
    httpFilters: [
      ...grpcWebFilters(protocols),
      corsFilter,
      ...httpRbacFilters(server.authorization),
      ...grpcStatsFilters(protocols, false),
      faultFilter,
      routerFilter,
    ],
    isEdge: true,
    clientCertificate: hasClientCertificate ? 'SANITIZE_SET' : 'SANITIZE',
  });
}

/** Chains of a port without plain HTTP; a server name belongs to the first that claims it. */
function otherChains(servers: readonly OfferedServer[], reach: Reach): FilterChain[] {
  const claimed = new Set<string>();
  const chains: FilterChain[] = [];
  for (const chain of servers.flatMap((server) => serverChains(server, reach))) {
    const names = chain.filterChainMatch?.serverNames ?? [anyName];
    const free = names.filter((name) => !claimed.has(name));
    for (const name of free) claimed.add(name);
    if (free.length > 0) chains.push(free.length === names.length ? chain : { ...chain, ...nameMatch(free) });
  }
  return chains;
}

/** Stands for a chain that asks for no name. */
const anyName = '*';

/** For connections to a server whose Secret is missing: they end, instead of coming to another server that covers the same names. */
const closing: NetworkFilter[] = [tcpProxy('missing_secret', [{ name: blackHoleCluster, weight: 1 }])];

function closingChain(server: OfferedServer): FilterChain {
  return { ...nameMatch(hostNames(server)), filters: closing };
}

function serverChains(server: OfferedServer, reach: Reach): FilterChain[] {
  const kind = serverKind(server.server);
  if (kind === 'tcp') return tcpChains(server, reach);
  if (kind === 'tls')
    return passesThrough(server.server) ? passthroughChains(server, reach) : endedTlsChains(server, reach);
  const socket = serverSocket(server, server.alpnProtocols, reach);
  if (socket === null) return [closingChain(server)];
  const mode = server.server.tls?.mode;
  const isMutual = mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL' || mode === 'ISTIO_MUTUAL';
  return [{ ...nameMatch(hostNames(server)), filters: [manager(server, [server], isMutual)], transportSocket: socket }];
}

/** Conditions on the TLS server name; none when any name will do. */
function nameMatch(hosts: readonly string[]): FilterChain {
  return hosts.length === 0 || hosts.includes(anyName) ? {} : { filterChainMatch: { serverNames: hosts } };
}

function hostNames({ hosts }: OfferedServer): string[] {
  return hosts.map(({ host }) => host);
}

function contextOf(server: OfferedServer, reach: Reach): MatchContext {
  const { namespace, labels } = reach.caller;
  return { namespace, labels, gateways: [server.gatewayName], port: server.server.port.number };
}

function firstTcpTarget(server: OfferedServer, reach: Reach): TcpTarget | null {
  for (const item of boundServices(server, reach)) {
    if (commonHosts(item, server).length === 0) continue;
    const target = tcpTarget(item, reach, contextOf(server, reach));
    if (target !== null) return target;
  }
  return null;
}

function tcpChains(server: OfferedServer, reach: Reach): FilterChain[] {
  const target = firstTcpTarget(server, reach);
  if (target === null) return [];
  return [{ filters: tcpFilters(server, target), metadata: originMetadata(target.origin) }];
}

function tcpFilters(server: OfferedServer, target: Omit<TcpTarget, 'origin'>): NetworkFilter[] {
  const prefix = statPrefix(server);
  return [...networkRbacFilters(server.authorization, prefix), tcpProxy(prefix, target.clusters, target)];
}

function statPrefix({ bindAddress, bindPort }: OfferedServer): string {
  return `outbound_${bindAddress}_${bindPort}`;
}

/** TLS that ends here, in front of TCP. */
function endedTlsChains(server: OfferedServer, reach: Reach): FilterChain[] {
  const target = firstTcpTarget(server, reach) ?? { clusters: [{ name: blackHoleCluster, weight: 1 }] };
  const transportSocket = serverSocket(server, [], reach);
  if (transportSocket === null) return [closingChain(server)];
  return [{ ...nameMatch(hostNames(server)), filters: tcpFilters(server, target), transportSocket }];
}

/** TLS that is passed on unread: a chain per tls rule, for the names that the rule and the server share. */
function passthroughChains(server: OfferedServer, reach: Reach): FilterChain[] {
  const context = contextOf(server, reach);
  const chains: FilterChain[] = [];
  for (const item of boundServices(server, reach)) {
    for (const [index, rule] of (item.spec.tls ?? []).entries()) {
      const fitting = rule.match.filter((entry) => isApplicable(entry, context, item.namespace));
      const names = fitting
        .flatMap(({ sniHosts }) => sniHosts.map((sni) => sni.toLowerCase()))
        .filter((sni) => isOffered(server, sni));
      if (names.length === 0) continue;
      const target = tlsRuleTarget(item, index, reach, context);
      chains.push({
        ...nameMatch([...new Set(names)]),
        filters: tcpFilters(server, target),
        metadata: originMetadata(target.origin),
      });
    }
  }
  return chains;
}

function isOffered(server: OfferedServer, sni: string): boolean {
  return server.hosts.some(({ host }) => hostCovers(host, sni));
}
