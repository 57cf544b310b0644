// Each host in turn, heavier ones more often and evenly spread.

import type { Host } from '../host.ts';
import { EdfScheduler } from './edf.ts';
import { hasEqualWeights, type Picker, type Random, type WeightOf } from './picker.ts';

export class RoundRobinPicker implements Picker {
  private readonly hosts: readonly Host[];
  private readonly weighted: EdfScheduler<Host> | null;
  private next: number;

  // Starts anywhere: a list that changes often must not favour its first host.
  constructor(hosts: readonly Host[], weightOf: WeightOf, random: Random) {
    this.hosts = hosts;
    this.next = Math.floor(random() * hosts.length);
    this.weighted = hasEqualWeights(hosts, weightOf) ? null : new EdfScheduler(hosts, weightOf, this.next);
  }

  pick(): Host | null {
    if (this.weighted !== null) return this.weighted.pick();
    const { hosts, next } = this;
    if (hosts.length === 0) return null;
    this.next = next + 1 < hosts.length ? next + 1 : 0;
    return hosts[next] as Host;
  }
}
