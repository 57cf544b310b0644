// Consistent hashing: each host stands on a ring many times, in proportion to its weight; a request goes to the next host after its hash.

import { hashText } from '../hash.ts';
import type { Host } from '../host.ts';
import { hashKey } from './hash-key.ts';
import type { Picker, PickerSources, Random } from './picker.ts';

export interface RingHashSettings {
  readonly minSize: number;
  readonly maxSize: number;
  readonly useHostname: boolean;
}

export class RingHashPicker implements Picker {
  private readonly positions: Uint32Array;
  private readonly owners: readonly Host[];
  private readonly random: Random;

  constructor(hosts: readonly Host[], settings: RingHashSettings, sources: PickerSources) {
    this.random = sources.random;
    const points = makePoints(hosts, settings, sources);
    this.positions = new Uint32Array(points.length);
    points.forEach((point, i) => {
      this.positions[i] = point.position;
    });
    this.owners = points.map((point) => point.host);
  }

  /** Number of places on the ring. */
  get size(): number {
    return this.owners.length;
  }

  pick(hash: number | null): Host | null {
    const { positions, owners } = this;
    if (owners.length === 0) return null;
    const wanted = hash ?? Math.floor(this.random() * 0x1_0000_0000);
    let low = 0;
    let high = positions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((positions[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return owners[low === positions.length ? 0 : low] as Host;
  }
}

interface Point {
  readonly position: number;
  readonly host: Host;
}

// As Envoy: the ring is scaled so that the lightest host has a whole number of places, between the two sizes.
function makePoints(hosts: readonly Host[], settings: RingHashSettings, sources: PickerSources): Point[] {
  const { minSize, maxSize, useHostname } = settings;
  const { weightOf } = sources;
  const total = hosts.reduce((sum, host) => sum + weightOf(host), 0);
  if (total <= 0) return [];
  const lightest = Math.min(...hosts.map(weightOf)) / total;
  const scale = Math.min(Math.ceil(lightest * minSize) / lightest, maxSize);
  const points: Point[] = [];
  let target = 0;
  for (const host of hosts) {
    target += (scale * weightOf(host)) / total;
    const key = hashKey(host, useHostname);
    for (let i = 0; points.length < target; i++) points.push({ position: hashText(`${key}_${i}`), host });
  }
  return points.sort((a, b) => a.position - b.position);
}
