// Chooses a host of a cluster: first a priority by its health, then among its healthy, degraded or (in panic) all hosts, by locality
// where localities are weighted, and last by the cluster's algorithm. Everything is derived when hosts change, a pick only reads.

import type { Host } from '../host.ts';
import { LocalityPicker } from './locality-picker.ts';
import { makePicker } from './make-picker.ts';
import { type BalancerSettings, ownWeight, type Picker, type Random } from './picker.ts';
import { type HealthRules, isOfKind, type Level, type PriorityLoad, spreadLoad } from './priority-load.ts';

interface Choice {
  /** Sum of loads up to and including this one. */
  readonly upTo: number;
  readonly picker: Picker;
}

export class Balancer {
  private readonly settings: BalancerSettings;
  private readonly random: Random;
  private levels: readonly Level[] = [];
  private health: HealthRules = { overprovisioningPercent: 140, isHealthWeighted: false };
  private isStale = true;
  private choices: readonly Choice[] = [];
  private only: Picker | null = null;
  /** Whether some level uses its unhealthy hosts too. */
  isPanicking = false;

  constructor(settings: BalancerSettings, random: Random) {
    this.settings = settings;
    this.random = random;
  }

  /** Other hosts, by priority. */
  setLevels(levels: readonly Level[], health: HealthRules = this.health): void {
    this.levels = levels;
    this.health = health;
    this.isStale = true;
  }

  /** Health or weight of a host changed. */
  invalidate(): void {
    this.isStale = true;
  }

  pick(hash: number | null): Host | null {
    if (this.isStale) this.rebuild();
    if (this.only !== null) return this.only.pick(hash);
    return this.pickByLoad(hash);
  }

  private pickByLoad(hash: number | null): Host | null {
    const { choices } = this;
    if (choices.length === 0) return null;
    // A hashed request must find the same priority again.
    const drawn = hash === null ? this.random() * 100 : hash % 100;
    for (const choice of choices) if (drawn < choice.upTo) return choice.picker.pick(hash);
    return (choices[choices.length - 1] as Choice).picker.pick(hash);
  }

  private rebuild(): void {
    this.isStale = false;
    const { loads, panicking } = spreadLoad(this.levels, this.health, this.settings.panicPercent);
    this.isPanicking = panicking.includes(true);
    const choices: Choice[] = [];
    let upTo = 0;
    for (const load of loads) {
      if (load.share <= 0) continue;
      upTo += load.share;
      choices.push({ upTo, picker: this.makeLevelPicker(load) });
    }
    this.choices = choices;
    this.only = choices.length === 1 ? (choices[0] as Choice).picker : null;
  }

  private makeLevelPicker(load: PriorityLoad): Picker {
    const level = this.levels[load.priority] as Level;
    const { policy, isLocalityWeighted } = this.settings;
    // As Envoy: in panic every host counts, in whatever locality.
    if (isLocalityWeighted && load.kind !== 'all') {
      const group = { kind: load.kind, overprovisioningPercent: this.health.overprovisioningPercent };
      const weighted = new LocalityPicker(level.localities, group, policy, this.random);
      // Where no weight counts, as those that have one have no host left, any host is better than none.
      if (!weighted.isEmpty) return weighted;
    }
    const hosts = level.hosts.filter((host) => isOfKind(host, load.kind));
    return makePicker(policy, hosts, { random: this.random, weightOf: ownWeight });
  }
}
