// A TCP service behind a listener.

import type { MeshPort, MeshService } from '../../model/service.ts';
import { tcpProxy } from '../filters.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import { serviceTarget, type TcpTarget } from '../route/tcp-target.ts';
import { sidecarContext } from '../route/virtual-host.ts';
import type { Listener } from '../snapshot.ts';
import type { FilterChain } from './inbound-chains.ts';

/** The chain to a service port, and where that is decided. */
export function tcpChain(
  name: string,
  service: MeshService,
  port: MeshPort,
  reach: Reach,
): { readonly chain: FilterChain; readonly target: TcpTarget } {
  const target = serviceTarget(service, port, reach, sidecarContext(reach, port.number));
  return { chain: { filters: [tcpProxy(name, target.clusters, target)] }, target };
}

/** `fields` say its name and address. */
export function tcpListener(fields: Listener, service: MeshService, port: MeshPort, reach: Reach): Listener {
  const { chain, target } = tcpChain(fields.name ?? '', service, port, reach);
  return { ...fields, filterChains: [chain], metadata: originMetadata(target.origin) };
}
