// What a workload can say and Weft does not carry out yet.

import type { NotCarriedOut } from '../not-carried-out.ts';

const isSocket = (value: unknown) => typeof value === 'string' && value.startsWith('unix://');

/** Fields of a workload, below a path. */
export function workloadNotCarriedOut(path: string): readonly NotCarriedOut[] {
  return [
    {
      path: `${path}.address`,
      level: 'error',
      why: 'Unix sockets are not called; use an IP address and a port.',
      when: isSocket,
    },
    { path: `${path}.network`, level: 'warning', why: 'all workloads are taken to be on one network.' },
  ];
}
