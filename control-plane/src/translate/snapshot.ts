// What a proxy is to have: one immutable set of resources per type, as messages; the server encodes them.

import type { envoy } from '@weft/api/xds/types';

export type Listener = envoy.config.listener.v3.Listener;
export type RouteConfiguration = envoy.config.route.v3.RouteConfiguration;
export type Cluster = envoy.config.cluster.v3.Cluster;
export type ClusterLoadAssignment = envoy.config.endpoint.v3.ClusterLoadAssignment;
export type Secret = envoy.extensions.transport_sockets.tls.v3.Secret;

/** Everything but endpoints: made again when the configuration changed. */
export interface ConfigSnapshot {
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly secrets: ReadonlyMap<string, Secret>;
}

/** Endpoints of the EDS clusters, by cluster name. */
export type EndpointSnapshot = ReadonlyMap<string, ClusterLoadAssignment>;

/** A map of messages by their name. */
export function byName<T extends { readonly name?: string | undefined }>(messages: Iterable<T>): Map<string, T> {
  const map = new Map<string, T>();
  for (const message of messages) map.set(message.name ?? '', message);
  return map;
}
