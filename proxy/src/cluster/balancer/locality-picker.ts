// Spreads the traffic of one priority over localities by their configured weights, less where hosts are missing.

import type { Host } from '../host.ts';
import { EdfScheduler } from './edf.ts';
import { makePicker } from './make-picker.ts';
import { type BalancerPolicy, ownWeight, type Picker, type Random } from './picker.ts';
import { type HealthKind, isOfKind, type LevelLocality } from './priority-load.ts';

/** Which hosts take part. */
export interface HostGroup {
  readonly kind: HealthKind;
  readonly overprovisioningPercent: number;
}

interface Place {
  readonly weight: number;
  readonly picker: Picker;
}

export class LocalityPicker implements Picker {
  private readonly places: EdfScheduler<Place>;
  private readonly hashed: Picker | null;
  /** No locality with a weight has hosts that take part. */
  readonly isEmpty: boolean;

  constructor(localities: readonly LevelLocality[], group: HostGroup, policy: BalancerPolicy, random: Random) {
    const weighted = localities.map((locality) => ({ locality, weight: effectiveWeight(locality, group) }));
    const usable = weighted.filter((place) => place.weight > 0);
    this.isEmpty = usable.length === 0;
    this.hashed = isHashing(policy) ? makeHashed(usable, group, policy, random) : null;
    const places = usable.map(({ locality, weight }): Place => {
      const hosts = locality.hosts.filter((host) => isOfKind(host, group.kind));
      return { weight, picker: makePicker(policy, hosts, { random, weightOf: ownWeight }) };
    });
    this.places = new EdfScheduler(places, (place) => place.weight, Math.floor(random() * places.length));
  }

  pick(hash: number | null): Host | null {
    if (this.hashed !== null) return this.hashed.pick(hash);
    return this.places.pick()?.picker.pick(hash) ?? null;
  }
}

// A locality keeps its full weight until it has lost more hosts than overprovisioning makes up for.
function effectiveWeight(locality: LevelLocality, group: HostGroup): number {
  const count = locality.hosts.length;
  if (count === 0) return 0;
  const able = locality.hosts.filter((host) => isOfKind(host, group.kind)).length;
  return locality.weight * Math.min(1, (group.overprovisioningPercent / 100) * (able / count));
}

function isHashing(policy: BalancerPolicy): boolean {
  return policy.kind === 'ring-hash' || policy.kind === 'maglev';
}

interface Weighted {
  readonly locality: LevelLocality;
  readonly weight: number;
}

// Consistent hashing needs one ring over all localities: each host gets its part of the locality's weight.
function makeHashed(places: readonly Weighted[], group: HostGroup, policy: BalancerPolicy, random: Random): Picker {
  const shares = new Map<Host, number>();
  for (const { locality, weight } of places) {
    const hosts = locality.hosts.filter((host) => isOfKind(host, group.kind));
    const total = hosts.reduce((sum, host) => sum + host.weight, 0);
    for (const host of hosts) shares.set(host, (weight * host.weight) / total);
  }
  return makePicker(policy, [...shares.keys()], { random, weightOf: (host) => shares.get(host) ?? 0 });
}
