// Any host with the same chance. As in Envoy, weights play no part.

import type { Host } from '../host.ts';
import type { Picker, Random } from './picker.ts';

export class RandomPicker implements Picker {
  private readonly hosts: readonly Host[];
  private readonly random: Random;

  constructor(hosts: readonly Host[], random: Random) {
    this.hosts = hosts;
    this.random = random;
  }

  pick(): Host | null {
    const { hosts } = this;
    return hosts.length === 0 ? null : (hosts[Math.floor(this.random() * hosts.length)] as Host);
  }
}
