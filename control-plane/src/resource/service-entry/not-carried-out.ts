// What a ServiceEntry can say and Weft does not carry out yet.

import type { NotCarriedOut } from '../not-carried-out.ts';
import { workloadNotCarriedOut } from '../workload-entry/not-carried-out.ts';

/** Shrinks as Weft grows. */
export const serviceEntryNotCarriedOut: readonly NotCarriedOut[] = [
  {
    path: 'spec.resolution',
    level: 'error',
    why: 'use DNS with each host named.',
    when: (value) => value === 'DYNAMIC_DNS',
  },
  ...workloadNotCarriedOut('spec.endpoints[]'),
];
