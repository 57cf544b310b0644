// What a Service can say that means nothing to Weft, or that it does not carry out yet.

import type { NotCarriedOut } from '../not-carried-out.ts';

const gateways = 'Weft is reached from outside through a gateway.';
const isNodePort = (value: unknown) => value === 'NodePort' || value === 'LoadBalancer';
const isDatagram = (value: unknown) => value === 'UDP' || value === 'SCTP';

/** Shrinks as Weft grows. */
export const serviceNotCarriedOut: readonly NotCarriedOut[] = [
  {
    path: 'spec.ports[].protocol',
    level: 'warning',
    why: 'only TCP is proxied; this port is left alone.',
    when: isDatagram,
  },
  { path: 'spec.type', level: 'warning', why: gateways, when: isNodePort },
  { path: 'spec.externalIPs', level: 'warning', why: gateways },
  {
    path: 'spec.loadBalancerSourceRanges',
    level: 'warning',
    why: 'limit callers with an AuthorizationPolicy at the gateway.',
  },
  {
    path: 'spec.sessionAffinity',
    level: 'warning',
    why: 'proxies balance by DestinationRule; use loadBalancer.consistentHash.useSourceIp.',
    when: (value) => value === 'ClientIP',
  },
  {
    path: 'spec.internalTrafficPolicy',
    level: 'warning',
    why: 'endpoints are not told apart by node.',
    when: (value) => value === 'Local',
  },
  {
    path: 'spec.publishNotReadyAddresses',
    level: 'warning',
    why: 'workloads are called when they are ready.',
    when: (value) => value === true,
  },
  { path: 'spec.trafficDistribution', level: 'warning', why: 'endpoints are not told apart by zone.' },
];
