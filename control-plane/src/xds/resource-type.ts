// The types of resources that are served, in the order in which a change is told: what is pointed at before what points.

import { typeUrlOf } from '@weft/lib/protobuf/codec';

/** Short names, as people and status use them. */
export type ResourceType = 'cds' | 'eds' | 'sds' | 'lds' | 'rds';

export const typeUrls: Readonly<Record<ResourceType, string>> = {
  cds: typeUrlOf('envoy.config.cluster.v3.Cluster'),
  eds: typeUrlOf('envoy.config.endpoint.v3.ClusterLoadAssignment'),
  sds: typeUrlOf('envoy.extensions.transport_sockets.tls.v3.Secret'),
  lds: typeUrlOf('envoy.config.listener.v3.Listener'),
  rds: typeUrlOf('envoy.config.route.v3.RouteConfiguration'),
};

/** Clusters, their endpoints, secrets, listeners, routes. */
export const pushOrder: readonly ResourceType[] = ['cds', 'eds', 'sds', 'lds', 'rds'];

const byUrl: ReadonlyMap<string, ResourceType> = new Map(pushOrder.map((type) => [typeUrls[type], type]));

/** The type of a URL, or null for one that is not served. */
export function resourceTypeOf(typeUrl: string): ResourceType | null {
  return byUrl.get(typeUrl) ?? null;
}

/** Types of which a client that names nothing gets everything. */
export function isWildcardType(type: ResourceType): boolean {
  return type === 'cds' || type === 'lds';
}
