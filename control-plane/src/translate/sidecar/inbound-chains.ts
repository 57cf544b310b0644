// Filter chains in front of a workload's port: mutual TLS as its PeerAuthentication asks, its AuthorizationPolicies, then the application.

import type { envoy } from '@weft/api/xds/types';
import { isHttp, type Protocol } from '../../model/protocol.ts';
import type { SettledMutualTls } from '../../model/settings.ts';
import { httpRbacFilters, networkRbacFilters, type PortAuthorization } from '../authorization/rbac-filters.ts';
import {
  connectionManager,
  grpcStatsFilters,
  grpcWebFilters,
  httpInspector,
  type ListenerFilter,
  type NetworkFilter,
  plainHttp,
  routerFilter,
  tcpProxy,
  tlsInspector,
} from '../filters.ts';
import { noTimeout } from '../message.ts';
import { matchAll } from '../route/http-match.ts';
import { meshAlpn, meshAlpnMarkers, meshDownstreamSocket } from '../tls-context.ts';

export type FilterChain = envoy.config.listener.v3.FilterChain;
type FilterChainMatch = envoy.config.listener.v3.FilterChainMatch;

export interface InboundPort {
  readonly statPrefix: string;
  /** Cluster of the application. */
  readonly cluster: string;
  readonly protocol: Protocol;
  readonly mode: SettledMutualTls;
  readonly authorization: PortAuthorization;
  /** Whether the proxy counts gRPC calls by method. */
  readonly tellsMethodsApart: boolean;
  /** Whether the proxy takes HTTP/2. */
  readonly speaksHttp2: boolean;
  /** Further conditions of every chain, such as a destination port. */
  readonly match: FilterChainMatch;
}

export interface InboundChains {
  readonly filterChains: readonly FilterChain[];
  readonly listenerFilters: readonly ListenerFilter[];
}

/** Server's ALPN in front of HTTP. The last one is for callers that do not know what is spoken here. */
const http1Alpn: readonly string[] = ['http/1.1', 'istio'];

export function inboundChains(port: InboundPort): InboundChains {
  const chains = [
    ...(port.mode === 'DISABLE' ? [] : tlsChains(port)),
    ...(port.mode === 'STRICT' ? [] : plainChains(port)),
  ];
  const needsTls = port.mode === 'PERMISSIVE' || (port.mode === 'STRICT' && port.protocol === 'auto');
  const needsHttp = port.protocol === 'auto' && port.mode !== 'STRICT';
  return {
    filterChains: chains,
    listenerFilters: [...(needsTls ? [tlsInspector] : []), ...(needsHttp ? [httpInspector] : [])],
  };
}

/** Chains that end the mesh's own TLS. */
function tlsChains(port: InboundPort): FilterChain[] {
  // Where other TLS may come too, the mesh's own is known by the ALPN names that its sidecars offer.
  const own: FilterChainMatch =
    port.mode === 'PERMISSIVE' ? { transportProtocol: 'tls', applicationProtocols: meshAlpnMarkers } : {};
  if (port.protocol === 'auto') {
    const httpNames = ['istio-http/1.1', 'istio-http/1.0', 'istio-h2'];
    return [
      tlsChain(port, { transportProtocol: 'tls', applicationProtocols: httpNames }, true),
      tlsChain(port, port.mode === 'PERMISSIVE' ? { ...own, applicationProtocols: meshAlpn.tcp } : {}, false),
    ];
  }
  return [tlsChain(port, own, isHttp(port.protocol))];
}

function tlsChain(port: InboundPort, match: FilterChainMatch, asHttp: boolean): FilterChain {
  const { trustDomain } = port.authorization.settings;
  return {
    ...matchField({ ...port.match, ...match }),
    filters: asHttp ? httpFilters(port) : tcpFilters(port),
    transportSocket: meshDownstreamSocket(asHttp ? httpAlpn(port) : meshAlpn.tcp, trustDomain),
  };
}

function httpAlpn({ speaksHttp2 }: InboundPort): readonly string[] {
  return speaksHttp2 ? ['h2', ...http1Alpn] : http1Alpn;
}

/** Chains in the clear; another's TLS passes through as bytes. */
function plainChains(port: InboundPort): FilterChain[] {
  if (port.protocol === 'auto') {
    return [
      { ...matchField({ ...port.match, applicationProtocols: plainHttp }), filters: httpFilters(port) },
      { ...matchField(port.match), filters: tcpFilters(port) },
    ];
  }
  if (!isHttp(port.protocol)) return [{ ...matchField(port.match), filters: tcpFilters(port) }];
  const plain: FilterChain = { ...matchField(port.match), filters: httpFilters(port) };
  if (port.mode === 'DISABLE') return [plain];
  return [plain, { ...matchField({ ...port.match, transportProtocol: 'tls' }), filters: tcpFilters(port) }];
}

function matchField(match: FilterChainMatch): FilterChain {
  return Object.keys(match).length === 0 ? {} : { filterChainMatch: match };
}

function httpFilters(port: InboundPort): NetworkFilter[] {
  const routes = {
    name: port.cluster,
    virtualHosts: [
      {
        name: port.cluster,
        domains: ['*'],
        routes: [{ name: 'default', match: matchAll, route: { cluster: port.cluster, timeout: noTimeout } }],
      },
    ],
    validateClusters: false,
  };
  return [
    connectionManager({
      statPrefix: port.statPrefix,
      routes,
      // A refusal is for the caller to read: gRPC-Web comes before the policies.
      httpFilters: [
        ...grpcWebFilters([port.protocol]),
        ...httpRbacFilters(port.authorization),
        ...grpcStatsFilters([port.protocol], port.tellsMethodsApart),
        routerFilter,
      ],
      clientCertificate: 'APPEND_FORWARD',
    }),
  ];
}

function tcpFilters(port: InboundPort): NetworkFilter[] {
  return [
    ...networkRbacFilters(port.authorization, port.statPrefix),
    tcpProxy(port.statPrefix, [{ name: port.cluster, weight: 1 }]),
  ];
}
