// The least busy of a few hosts drawn at random; where weights differ, turns by weight that shrink with the requests in flight.

import type { Host } from '../host.ts';
import { EdfScheduler } from './edf.ts';
import { hasEqualWeights, ownWeight, type Picker, type Random } from './picker.ts';

export interface LeastRequestSettings {
  /** Hosts compared per pick; 2 is nearly as good as all. */
  readonly choices: number;
  /** How strongly requests in flight reduce a weight: 0 not at all, 1 in proportion. */
  readonly activeBias: number;
  readonly fullScan: boolean;
}

export class LeastRequestPicker implements Picker {
  private readonly hosts: readonly Host[];
  private readonly random: Random;
  private readonly choices: number;
  private readonly fullScan: boolean;
  private readonly weighted: EdfScheduler<Host> | null;

  constructor(hosts: readonly Host[], settings: LeastRequestSettings, random: Random) {
    this.hosts = hosts;
    this.random = random;
    this.choices = settings.choices;
    this.fullScan = settings.fullScan;
    const { activeBias } = settings;
    const skip = Math.floor(random() * hosts.length);
    this.weighted = hasEqualWeights(hosts, ownWeight)
      ? null
      : new EdfScheduler(hosts, (host) => host.weight / (host.active + 1) ** activeBias, skip);
  }

  pick(): Host | null {
    if (this.weighted !== null) return this.weighted.pick();
    const { hosts } = this;
    if (hosts.length < 2) return hosts[0] ?? null;
    return this.fullScan ? this.scanAll() : this.compareSome();
  }

  private compareSome(): Host {
    const { hosts, random } = this;
    let best = hosts[Math.floor(random() * hosts.length)] as Host;
    for (let drawn = 1; drawn < this.choices; drawn++) {
      const other = hosts[Math.floor(random() * hosts.length)] as Host;
      if (other.active < best.active) best = other;
    }
    return best;
  }

  // Begins anywhere, so that idle hosts share evenly.
  private scanAll(): Host {
    const { hosts } = this;
    const start = Math.floor(this.random() * hosts.length);
    let best = hosts[start] as Host;
    for (let i = 1; i < hosts.length; i++) {
      const other = hosts[(start + i) % hosts.length] as Host;
      if (other.active < best.active) best = other;
    }
    return best;
  }
}
