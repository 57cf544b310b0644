// Which names a set of resources refers to: clusters of routes and TCP proxies, secrets of TLS contexts.

import type { envoy } from '@weft/api/xds/types';
import { unpackAny } from '@weft/lib/protobuf/codec';
import type { Cluster, Listener, RouteConfiguration } from './snapshot.ts';

type CommonTlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
type TransportSocket = envoy.config.core.v3.TransportSocket;

/** Names of the clusters that these routes and listeners use. */
export function referencedClusters(routes: readonly RouteConfiguration[], listeners: readonly Listener[]): Set<string> {
  const names = new Set<string>();
  for (const { virtualHosts } of routes) {
    for (const { routes: list } of virtualHosts ?? []) {
      for (const { route } of list ?? []) addClusters(names, route?.cluster, route?.weightedClusters?.clusters);
    }
  }
  for (const chain of listeners.flatMap(chainsOf)) {
    for (const { name, typedConfig } of chain.filters ?? []) {
      if (name !== 'envoy.filters.network.tcp_proxy' || typedConfig === undefined) continue;
      const proxy = unpackAny(typedConfig, 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy');
      addClusters(names, proxy.cluster, proxy.weightedClusters?.clusters);
    }
  }
  return names;
}

function addClusters(
  names: Set<string>,
  single: string | undefined,
  weighted: readonly { readonly name?: string | undefined }[] | undefined,
): void {
  if (single !== undefined) names.add(single);
  for (const { name } of weighted ?? []) if (name !== undefined) names.add(name);
}

function chainsOf(listener: Listener): envoy.config.listener.v3.FilterChain[] {
  const { defaultFilterChain: last } = listener;
  return [...(listener.filterChains ?? []), ...(last === undefined ? [] : [last])];
}

/** SDS names in the TLS contexts of these resources. */
export function referencedSecrets(listeners: Iterable<Listener>, clusters: Iterable<Cluster>): Set<string> {
  const names = new Set<string>();
  for (const listener of listeners) {
    for (const { transportSocket } of chainsOf(listener)) addSecrets(names, transportSocket);
  }
  for (const { transportSocket, transportSocketMatches } of clusters) {
    addSecrets(names, transportSocket);
    for (const match of transportSocketMatches ?? []) addSecrets(names, match.transportSocket);
  }
  return names;
}

function addSecrets(names: Set<string>, socket: TransportSocket | undefined): void {
  const context = socket === undefined ? undefined : commonContext(socket);
  const secrets = [
    ...(context?.tlsCertificateSdsSecretConfigs ?? []),
    context?.validationContextSdsSecretConfig,
    context?.combinedValidationContext?.validationContextSdsSecretConfig,
  ];
  for (const secret of secrets) if (secret?.name !== undefined) names.add(secret.name);
}

function commonContext({ typedConfig }: TransportSocket): CommonTlsContext | undefined {
  if (typedConfig === undefined) return undefined;
  if (typedConfig.typeUrl.endsWith('.UpstreamTlsContext')) {
    return unpackAny(typedConfig, 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext').commonTlsContext;
  }
  if (!typedConfig.typeUrl.endsWith('.DownstreamTlsContext')) return undefined;
  return unpackAny(typedConfig, 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext').commonTlsContext;
}
