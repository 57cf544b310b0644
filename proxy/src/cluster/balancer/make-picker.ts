// From a cluster's algorithm to the picker for a list of hosts.

import type { Host } from '../host.ts';
import { LeastRequestPicker } from './least-request.ts';
import { MaglevPicker } from './maglev.ts';
import type { BalancerPolicy, Picker, PickerSources } from './picker.ts';
import { RandomPicker } from './random.ts';
import { RingHashPicker } from './ring-hash.ts';
import { RoundRobinPicker } from './round-robin.ts';

/** The picker of that algorithm over those hosts. */
export function makePicker(policy: BalancerPolicy, hosts: readonly Host[], sources: PickerSources): Picker {
  const { random, weightOf } = sources;
  switch (policy.kind) {
    case 'least-request':
      return new LeastRequestPicker(hosts, policy, random);
    case 'random':
      return new RandomPicker(hosts, random);
    case 'ring-hash':
      return new RingHashPicker(hosts, policy, sources);
    case 'maglev':
      return new MaglevPicker(hosts, policy, sources);
    default:
      return new RoundRobinPicker(hosts, weightOf, random);
  }
}
