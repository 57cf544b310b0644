// Maglev hashing: a table of prime size in which hosts take slots in turn; a request goes to the host in the slot of its hash.

import { hashText } from '../hash.ts';
import type { Host } from '../host.ts';
import { hashKey } from './hash-key.ts';
import type { Picker, PickerSources, Random } from './picker.ts';

export interface MaglevSettings {
  /** Prime, much larger than the number of hosts. */
  readonly tableSize: number;
  readonly useHostname: boolean;
}

export class MaglevPicker implements Picker {
  private readonly hosts: readonly Host[];
  private readonly table: Uint32Array;
  private readonly random: Random;

  constructor(hosts: readonly Host[], settings: MaglevSettings, sources: PickerSources) {
    this.hosts = hosts;
    this.random = sources.random;
    this.table = hosts.length === 0 ? new Uint32Array(0) : fillTable(hosts, settings, sources);
  }

  pick(hash: number | null): Host | null {
    const { table } = this;
    if (table.length === 0) return null;
    const slot = hash === null ? Math.floor(this.random() * table.length) : hash % table.length;
    return this.hosts[table[slot] as number] as Host;
  }
}

interface Walker {
  readonly offset: number;
  readonly skip: number;
  readonly weight: number;
  next: number;
  credit: number;
}

const free = 0xffff_ffff;

// Each round every host takes its next preferred free slot once its share of the round adds up to a whole.
function fillTable(hosts: readonly Host[], settings: MaglevSettings, sources: PickerSources): Uint32Array {
  const { tableSize, useHostname } = settings;
  const table = new Uint32Array(tableSize).fill(free);
  const heaviest = Math.max(...hosts.map(sources.weightOf));
  const walkers = hosts.map((host): Walker => {
    const key = hashKey(host, useHostname);
    const weight = sources.weightOf(host) / heaviest;
    return {
      offset: hashText(key) % tableSize,
      skip: (hashText(key, 1) % (tableSize - 1)) + 1,
      weight,
      next: 0,
      credit: 0,
    };
  });
  for (let taken = 0; taken < tableSize; ) {
    for (let i = 0; i < walkers.length && taken < tableSize; i++) {
      const walker = walkers[i] as Walker;
      walker.credit += walker.weight;
      if (walker.credit < 1) continue;
      walker.credit -= 1;
      takeSlot(walker, table, i);
      taken++;
    }
  }
  return table;
}

function takeSlot(walker: Walker, table: Uint32Array, owner: number): void {
  for (;;) {
    const slot = (walker.offset + walker.skip * walker.next++) % table.length;
    if (table[slot] !== free) continue;
    table[slot] = owner;
    return;
  }
}
