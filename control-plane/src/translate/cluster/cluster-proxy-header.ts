// A DestinationRule's `proxyProtocol`: connections to the host begin with a header that says whom they are for.

import type { TrafficPolicy } from '@weft/api/resource/traffic-policy';
import type { envoy } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import type { Cluster } from '../snapshot.ts';
import { rawSocket } from '../tls-context.ts';

type TransportSocket = envoy.config.core.v3.TransportSocket;

const typeName = 'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport';

/** The transport sockets of a cluster, with the header in front of whatever they do. */
export function withProxyHeader(transport: Cluster, rule: TrafficPolicy['proxyProtocol']): Cluster {
  if (rule === undefined) return transport;
  const wrap = (transportSocket: TransportSocket): TransportSocket => ({
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    typedConfig: packAny(typeName, { config: { version: rule.version ?? 'V1' }, transportSocket }),
  });
  const { transportSocket, transportSocketMatches, ...rest } = transport;
  if (transportSocketMatches === undefined) return { ...rest, transportSocket: wrap(transportSocket ?? rawSocket) };
  const matches = transportSocketMatches.map((one) => ({
    ...one,
    transportSocket: wrap(one.transportSocket ?? rawSocket),
  }));
  return { ...rest, transportSocketMatches: matches };
}
