// The DestinationRule that a caller's proxy follows for a host: the caller's own namespace first, then the service's, then the root's.

import type { DestinationRule, Subset } from '@weft/api/resource/destination-rule';
import type { TrafficPolicy } from '@weft/api/resource/traffic-policy';
import type { Origin } from '@weft/lib/issue';
import type { World } from '../store/world.ts';
import { hostCovers, isVisible, labelsFit, resolveHost } from './host.ts';
import type { WorkloadIdentityView } from './peer-authentication.ts';
import type { MeshSettings } from './settings.ts';
import { byAge, originOf, type Sourced, sourced } from './sourced.ts';

export interface DestinationRuleItem extends Sourced<DestinationRule['spec']> {
  readonly host: string;
}

/** A subset and the line that says so. */
export interface SubsetItem {
  readonly subset: Subset;
  readonly origin: Origin;
}

/** What several rules for one host come to. */
export interface EffectiveRule {
  readonly origin: Origin;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly SubsetItem[];
}

export class DestinationRules {
  private readonly exact: ReadonlyMap<string, readonly DestinationRuleItem[]>;
  private readonly wild: readonly DestinationRuleItem[];
  private readonly roots: readonly string[];

  constructor(items: readonly DestinationRuleItem[], settings: MeshSettings) {
    const sorted = [...items].sort(byAge);
    this.exact = Map.groupBy(sorted, ({ host }) => host);
    this.wild = sorted.filter(({ host }) => host.startsWith('*'));
    this.roots = settings.rootNamespaces;
  }

  /** The rule for calls of `caller` to `host`, whose service lives in `serviceNamespace`; null when there is none. */
  find(host: string, serviceNamespace: string, caller: WorkloadIdentityView): EffectiveRule | null {
    const exact = host.startsWith('*') ? [] : (this.exact.get(host) ?? []);
    const seen = [...exact, ...this.wild].filter((item) => this.concerns(item, host, caller));
    const own = seen.filter(({ namespace }) => namespace === caller.namespace);
    const ofService = seen.filter(({ namespace }) => namespace === serviceNamespace);
    const ofRoot = seen.filter(({ namespace }) => this.roots.includes(namespace));
    for (const group of [own, ofService, ofRoot]) {
      const rule = mergeRules(mostSpecific(group, host));
      if (rule !== null) return rule;
    }
    return null;
  }

  private concerns(item: DestinationRuleItem, host: string, caller: WorkloadIdentityView): boolean {
    if (!hostCovers(item.host, host) || !isVisible(item.spec.exportTo, item.namespace, caller.namespace)) return false;
    const selector = item.spec.workloadSelector?.matchLabels;
    if (selector === undefined || Object.keys(selector).length === 0) return true;
    return item.namespace === caller.namespace && labelsFit(selector, caller.labels);
  }
}

/** Rules with a selector before those without, and of each the ones with the longest matching host. */
function mostSpecific(group: readonly DestinationRuleItem[], host: string): readonly DestinationRuleItem[] {
  const selecting = group.filter(({ spec }) => spec.workloadSelector !== undefined);
  const pool = selecting.length > 0 ? selecting : group;
  const rank = (item: DestinationRuleItem) => (item.host === host ? Number.MAX_SAFE_INTEGER : item.host.length);
  const best = Math.max(-1, ...pool.map(rank));
  return pool.filter((item) => rank(item) === best);
}

/** The oldest rule's policy, and the subsets of all: the first to use a name keeps it. */
function mergeRules(items: readonly DestinationRuleItem[]): EffectiveRule | null {
  const [oldest] = items;
  if (oldest === undefined) return null;
  const subsets = new Map<string, SubsetItem>();
  for (const item of items) {
    for (const [index, subset] of (item.spec.subsets ?? []).entries()) {
      if (!subsets.has(subset.name))
        subsets.set(subset.name, { subset, origin: originOf(item, `spec.subsets[${index}]`) });
    }
  }
  const policy = items.find(({ spec }) => spec.trafficPolicy !== undefined)?.spec.trafficPolicy;
  return { origin: oldest.origin, trafficPolicy: policy, subsets: [...subsets.values()] };
}

export function buildDestinationRules(world: World, settings: MeshSettings): DestinationRules {
  const items = world.list('DestinationRule').map((resource) => {
    const item = sourced(resource, resource.object.spec);
    return { ...item, host: resolveHost(item.spec.host, item.namespace, settings.clusterDomain) };
  });
  return new DestinationRules(items, settings);
}
