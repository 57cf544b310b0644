// Where the connections to a TCP or TLS port go: the weighted destinations of a VirtualService's tcp or tls rules, else the service itself.

import type { RouteDestination } from '@weft/api/resource/virtual-service';
import type { Origin } from '@weft/lib/issue';
import { hostCovers } from '../../model/host.ts';
import { isTls } from '../../model/protocol.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { originOf } from '../../model/sourced.ts';
import { findVirtualService, type VirtualServiceItem } from '../../model/virtual-service.ts';
import { blackHoleCluster, outboundCluster } from '../cluster-name.ts';
import type { Reach } from '../reach.ts';
import { clusterOf } from './http-action.ts';
import { isApplicable, type MatchContext } from './http-match.ts';

/** Clusters with their weights, at least one; the resource that says so. */
export interface TcpTarget {
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  readonly origin: Origin;
}

/** The target of a sidecar's connections to a service port. */
export function serviceTarget(service: MeshService, port: MeshPort, reach: Reach, context: MatchContext): TcpTarget {
  const item = findVirtualService(reach.mesh.virtualServices, service.host, context.namespace);
  const chosen = item === null ? null : virtualServiceTarget(item, service.host, port, reach, context);
  if (chosen !== null) return chosen;
  return { clusters: [{ name: outboundCluster(port.number, '', service.host), weight: 1 }], origin: service.origin };
}

function virtualServiceTarget(
  item: VirtualServiceItem,
  host: string,
  port: MeshPort,
  reach: Reach,
  context: MatchContext,
): TcpTarget | null {
  return isTls(port.protocol) ? tlsTarget(item, host, reach, context) : tcpTarget(item, reach, context);
}

/** The first tcp rule that fits. */
export function tcpTarget(item: VirtualServiceItem, reach: Reach, context: MatchContext): TcpTarget | null {
  const rules = item.spec.tcp ?? [];
  const index = rules.findIndex(({ match }) => {
    if (match === undefined || match.length === 0) return true;
    return match.some((entry) => isApplicable(entry, context, item.namespace));
  });
  const rule = rules[index];
  if (rule === undefined) return null;
  return { clusters: weighted(rule.route, item, reach, context), origin: originOf(item, `spec.tcp[${index}]`) };
}

/** The first tls rule whose server names cover the host. */
export function tlsTarget(
  item: VirtualServiceItem,
  host: string,
  reach: Reach,
  context: MatchContext,
): TcpTarget | null {
  const rules = item.spec.tls ?? [];
  const index = rules.findIndex(({ match }) =>
    match.some(
      (entry) =>
        isApplicable(entry, context, item.namespace) &&
        entry.sniHosts.some((sni) => hostCovers(sni.toLowerCase(), host)),
    ),
  );
  return index < 0 ? null : tlsRuleTarget(item, index, reach, context);
}

/** The target of one tls rule. */
export function tlsRuleTarget(item: VirtualServiceItem, index: number, reach: Reach, context: MatchContext): TcpTarget {
  const clusters = weighted(item.spec.tls?.[index]?.route, item, reach, context);
  return { clusters, origin: originOf(item, `spec.tls[${index}]`) };
}

function weighted(
  destinations: readonly RouteDestination[] | undefined,
  item: VirtualServiceItem,
  reach: Reach,
  context: MatchContext,
): TcpTarget['clusters'] {
  const all = destinations ?? [];
  const hasWeights = all.length > 1 && all.some(({ weight }) => (weight ?? 0) > 0);
  const taken = hasWeights ? all.filter(({ weight }) => (weight ?? 0) > 0) : all;
  const clusters = taken.map(({ destination, weight }) => ({
    name: clusterOf(reach.target(destination, item.namespace, context.port)),
    weight: hasWeights ? (weight ?? 0) : 1,
  }));
  return clusters.length > 0 ? clusters : [{ name: blackHoleCluster, weight: 1 }];
}
