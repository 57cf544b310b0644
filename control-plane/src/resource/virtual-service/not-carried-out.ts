// What a VirtualService can say and Weft does not carry out yet.

import type { NotCarriedOut } from '../not-carried-out.ts';

const subnets = 'connections reach a sidecar by host name and port, not by address; match by port.';

/** Shrinks as Weft grows. */
export const virtualServiceNotCarriedOut: readonly NotCarriedOut[] = [
  { path: 'spec.http[].delegate', level: 'error', why: 'write the routes of the delegate here.' },
  { path: 'spec.http[].mirror', level: 'error', why: 'no copy of the requests would be sent; remove it.' },
  { path: 'spec.http[].mirrors', level: 'error', why: 'no copies of the requests would be sent; remove it.' },
  { path: 'spec.http[].mirrorPercent', level: 'error', why: 'no copies of requests are sent; remove it.' },
  { path: 'spec.http[].mirror_percent', level: 'error', why: 'no copies of requests are sent; remove it.' },
  { path: 'spec.http[].mirrorPercentage', level: 'error', why: 'no copies of requests are sent; remove it.' },
  { path: 'spec.http[].corsPolicy.allowOrigin', level: 'deprecated', why: 'use allowOrigins with exact.' },
  { path: 'spec.http[].fault.delay.exponentialDelay', level: 'error', why: 'use fixedDelay.' },
  { path: 'spec.http[].fault.abort.http2Error', level: 'error', why: 'use httpStatus.' },
  { path: 'spec.http[].match[].statPrefix', level: 'warning', why: 'statistics are kept per cluster, not per route.' },
  {
    path: 'spec.http[].retries.retryRemoteLocalities',
    level: 'warning',
    why: 'localities are not told apart, so retries go to all of them anyway.',
  },
  { path: 'spec.http[].fault.delay.percent', level: 'deprecated', why: 'use percentage.value.' },
  { path: 'spec.http[].fault.abort.percent', level: 'deprecated', why: 'use percentage.value.' },
  { path: 'spec.tcp[].match[].destinationSubnets', level: 'error', why: subnets },
  { path: 'spec.tcp[].match[].sourceSubnet', level: 'error', why: subnets },
  { path: 'spec.tls[].match[].destinationSubnets', level: 'error', why: subnets },
];
