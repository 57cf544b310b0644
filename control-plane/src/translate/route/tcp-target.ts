// Where the connections to a TCP or TLS port go: the weighted destinations of a VirtualService's tcp or tls rules, else the service itself.

import type { RouteDestination } from '@weft/api/resource/virtual-service';
import type { Origin } from '@weft/lib/issue';
import { hostCovers } from '../../model/host.ts';
import { isTls } from '../../model/protocol.ts';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { originOf } from '../../model/sourced.ts';
import { findVirtualService, type VirtualServiceItem } from '../../model/virtual-service.ts';
import { blackHoleCluster, outboundCluster } from '../cluster-name.ts';
import type { MissingTarget, Reach, Target } from '../reach.ts';
import { clusterOf } from './http-action.ts';
import { isApplicable, type MatchContext } from './http-match.ts';
import { effectivePolicy } from './traffic-policy.ts';

/** What a traffic policy says of the connections themselves: of the first destination, as in Istio. */
export interface TcpSettings {
  /** A duration; the proxy's own limit when absent. */
  readonly idleTimeout?: string;
  /** Whether the balancer tells clients apart by their address. */
  readonly hashesSource?: boolean;
}

/** Clusters with their weights, at least one; the resource that says so. */
export interface TcpTarget extends TcpSettings {
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  readonly origin: Origin;
}

/** The target of a sidecar's connections to a service port. */
export function serviceTarget(service: MeshService, port: MeshPort, reach: Reach, context: MatchContext): TcpTarget {
  const item = findVirtualService(reach.mesh.virtualServices, service.host, context.namespace);
  const chosen = item === null ? null : virtualServiceTarget(item, service.host, port, reach, context);
  if (chosen !== null) return chosen;
  const cluster = outboundCluster(port.number, '', service.host);
  const settings = settingsOf([{ cluster, service, port, subset: '' }], reach);
  return { clusters: [{ name: cluster, weight: 1 }], origin: service.origin, ...settings };
}

function settingsOf(targets: readonly (Target | MissingTarget)[], reach: Reach): TcpSettings {
  const first = targets.find((target): target is Target => !('missing' in target));
  if (first === undefined) return {};
  const policy = effectivePolicy(reach.ruleOf(first.service), first.subset, first.port.number);
  const idleTimeout = policy.connectionPool?.tcp?.idleTimeout;
  return {
    ...(idleTimeout === undefined ? {} : { idleTimeout }),
    ...(policy.loadBalancer?.consistentHash?.useSourceIp === true ? { hashesSource: true } : {}),
  };
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
  return { ...weighted(rule.route, item, reach, context), origin: originOf(item, `spec.tcp[${index}]`) };
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
  const target = weighted(item.spec.tls?.[index]?.route, item, reach, context);
  return { ...target, origin: originOf(item, `spec.tls[${index}]`) };
}

function weighted(
  destinations: readonly RouteDestination[] | undefined,
  item: VirtualServiceItem,
  reach: Reach,
  context: MatchContext,
): Omit<TcpTarget, 'origin'> {
  const all = destinations ?? [];
  const hasWeights = all.length > 1 && all.some(({ weight }) => (weight ?? 0) > 0);
  const taken = hasWeights ? all.filter(({ weight }) => (weight ?? 0) > 0) : all;
  const targets = taken.map(({ destination }) => reach.target(destination, item.namespace, context.port));
  const clusters = targets.map((target, index) => ({
    name: clusterOf(target),
    weight: hasWeights ? (taken[index]?.weight ?? 0) : 1,
  }));
  if (clusters.length === 0) return { clusters: [{ name: blackHoleCluster, weight: 1 }] };
  return { clusters, ...settingsOf(targets, reach) };
}
