// What the bootstrap says of how many connections there may be.

import type { envoy } from '@weft/api/xds/types';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { runtimeNumber } from './runtime.ts';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;
type Monitor = envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig;

/** Undefined is no limit. */
export interface ConnectionMaxima {
  /** The resource monitor `envoy.resource_monitors.global_downstream_max_connections`, or the runtime key before it. */
  readonly all: number | undefined;
  /** The runtime key `envoy.resource_limits.listener.NAME.connection_limit`. */
  ofListener(name: string): number | undefined;
}

export const monitorType = 'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig';

export function readConnectionMaxima(bootstrap: Bootstrap): ConnectionMaxima {
  return {
    all: monitored(bootstrap) ?? runtimeNumber(bootstrap, 'overload.global_downstream_max_connections'),
    ofListener: (name) => runtimeNumber(bootstrap, `envoy.resource_limits.listener.${name}.connection_limit`),
  };
}

function monitored({ overloadManager }: Bootstrap): number | undefined {
  for (const { typedConfig } of overloadManager?.resourceMonitors ?? []) {
    if (typedConfig === undefined || typeNameOf(typedConfig) !== monitorType) continue;
    return Number((unpackAny(typedConfig) as Monitor).maxActiveDownstreamConnections ?? 0);
  }
  return undefined;
}
