// The kinds of resource and what distinguishes them on the wire.
import type { MessageName } from '@weft/lib/protobuf/codec';
import type { ResourceKind } from './target.ts';

export interface KindSpec {
  readonly kind: ResourceKind;
  readonly typeName: MessageName;
  readonly typeUrl: string;
  /** The field that holds a resource's name. */
  readonly nameField: 'name' | 'clusterName';
  /** Every resource is wanted, and one that a state-of-the-world response leaves out is gone. */
  readonly isWildcard: boolean;
  /** A resource that nobody asks for any more is removed from the target. Endpoints go with their cluster instead. */
  readonly removeWhenUnwanted: boolean;
  /** Others send requests there by its name: it does not go with an update of which something was refused. */
  readonly isPointedAt: boolean;
  /** Envoy's prefix of the update statistics. */
  readonly statPrefix: string;
}

function spec(
  kind: ResourceKind,
  typeName: MessageName,
  rest: Omit<KindSpec, 'kind' | 'typeName' | 'typeUrl'>,
): KindSpec {
  return { kind, typeName, typeUrl: `type.googleapis.com/${typeName}`, ...rest };
}

/** In the order in which updates that arrive together take effect: what is pointed at before what points. */
export const kindSpecs: readonly KindSpec[] = [
  spec('secret', 'envoy.extensions.transport_sockets.tls.v3.Secret', {
    nameField: 'name',
    isWildcard: false,
    removeWhenUnwanted: true,
    isPointedAt: false,
    statPrefix: 'sds',
  }),
  spec('cluster', 'envoy.config.cluster.v3.Cluster', {
    nameField: 'name',
    isWildcard: true,
    removeWhenUnwanted: true,
    isPointedAt: true,
    statPrefix: 'cluster_manager.cds',
  }),
  spec('endpoint', 'envoy.config.endpoint.v3.ClusterLoadAssignment', {
    nameField: 'clusterName',
    isWildcard: false,
    removeWhenUnwanted: false,
    isPointedAt: false,
    statPrefix: 'cluster_manager.eds',
  }),
  spec('listener', 'envoy.config.listener.v3.Listener', {
    nameField: 'name',
    isWildcard: true,
    removeWhenUnwanted: true,
    isPointedAt: false,
    statPrefix: 'listener_manager.lds',
  }),
  spec('route', 'envoy.config.route.v3.RouteConfiguration', {
    nameField: 'name',
    isWildcard: false,
    removeWhenUnwanted: true,
    isPointedAt: false,
    statPrefix: 'rds',
  }),
];
