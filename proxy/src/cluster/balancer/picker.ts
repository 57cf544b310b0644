// What every balancing algorithm offers: a picker chooses among a fixed list of hosts and is made anew when the list, the weights or the health of hosts change.

import type { Host } from '../host.ts';

export interface Picker {
  /** `hash` is the request's, for those that keep a request with its host. Null when the list is empty. */
  pick(hash: number | null): Host | null;
}

/** The algorithm of a cluster and its settings. */
export type BalancerPolicy =
  | { readonly kind: 'round-robin' }
  | { readonly kind: 'random' }
  | {
      readonly kind: 'least-request';
      readonly choices: number;
      readonly activeBias: number;
      readonly fullScan: boolean;
    }
  | { readonly kind: 'ring-hash'; readonly minSize: number; readonly maxSize: number; readonly useHostname: boolean }
  | { readonly kind: 'maglev'; readonly tableSize: number; readonly useHostname: boolean }
  /** The cluster itself knows the host, as original destination does. */
  | { readonly kind: 'cluster-provided' };

/** A host and its share, which locality weights may have changed from the host's own weight. */
export type WeightOf = (host: Host) => number;

/** Uniform in [0, 1). */
export type Random = () => number;

export interface PickerSources {
  readonly random: Random;
  readonly weightOf: WeightOf;
}

/** Whether every host has the same share: then the cheap form of an algorithm does. */
export function hasEqualWeights(hosts: readonly Host[], weightOf: WeightOf): boolean {
  const [first] = hosts;
  return first === undefined || hosts.every((host) => weightOf(host) === weightOf(first));
}

/** The configured weight. */
export function ownWeight(host: Host): number {
  return host.weight;
}

/** How a cluster balances. */
export interface BalancerSettings {
  readonly policy: BalancerPolicy;
  /** Below this share of healthy hosts all hosts are used; 0 never. */
  readonly panicPercent: number;
  readonly isLocalityWeighted: boolean;
}
