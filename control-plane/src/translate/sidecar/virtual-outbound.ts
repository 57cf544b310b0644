// Where redirected connections of the application arrive: they go to the listener of their destination, the rest by policy.

import type { envoy } from '@weft/api/xds/types';
import type { MeshModel } from '../../model/mesh.ts';
import { blackHoleCluster, passthroughCluster } from '../cluster-name.ts';
import { originalDestination, tcpProxy } from '../filters.ts';
import { socketAddress } from '../message.ts';
import type { ProxyNode } from '../proxy-node.ts';
import type { Listener } from '../snapshot.ts';
import type { FilterChain } from './inbound-chains.ts';

/** Which families a workload has addresses of. */
export function familiesOf({ addresses }: ProxyNode): { readonly v4: boolean; readonly v6: boolean } {
  const v6 = addresses.some((address) => address.includes(':'));
  return { v6, v4: !v6 || addresses.some((address) => !address.includes(':')) };
}

/** All addresses of the workload's families, and what listeners there are called. */
export function wildcardAddress(
  node: ProxyNode,
  port: number,
): { readonly name: string; readonly address: envoy.config.core.v3.Address } {
  const { v4, v6 } = familiesOf(node);
  if (!v6) return { name: '0.0.0.0', address: socketAddress('0.0.0.0', port) };
  const address = { socketAddress: { address: '::', portValue: port, ...(v4 ? { ipv4Compat: true } : {}) } };
  return { name: v4 ? '0.0.0.0' : '::', address };
}

/** Where connections go that no service takes. */
export function catchAllCluster(mesh: MeshModel): string {
  return mesh.settings.outboundPolicy === 'REGISTRY_ONLY' ? blackHoleCluster : passthroughCluster;
}

/** A connection to a capture port itself would come back to it without end. */
export function blackHoleChain(name: string, destinationPort: number): FilterChain {
  return {
    name,
    filterChainMatch: { destinationPort },
    filters: [tcpProxy(blackHoleCluster, [{ name: blackHoleCluster, weight: 1 }])],
  };
}

export function virtualOutbound(mesh: MeshModel, node: ProxyNode): Listener {
  const { outboundPort } = node.capturePorts;
  const cluster = catchAllCluster(mesh);
  return {
    name: 'virtualOutbound',
    address: wildcardAddress(node, outboundPort).address,
    useOriginalDst: true,
    listenerFilters: [originalDestination],
    filterChains: [
      blackHoleChain('virtualOutbound-blackhole', outboundPort),
      { name: 'virtualOutbound-catchall-tcp', filters: [tcpProxy(cluster, [{ name: cluster, weight: 1 }])] },
    ],
    trafficDirection: 'OUTBOUND',
  };
}
