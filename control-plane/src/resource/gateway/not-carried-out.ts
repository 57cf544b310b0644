// What a Gateway can say and Weft does not carry out yet.

import type { NotCarriedOut } from '../not-carried-out.ts';

const isMongo = (value: unknown) => value === 'MONGO';
const isAutoPassthrough = (value: unknown) => value === 'AUTO_PASSTHROUGH';
const isOldTls = (value: unknown) => value === 'TLSV1_0' || value === 'TLSV1_1';
const oldTls = 'TLS 1.0 and 1.1 are no longer safe; use TLSV1_2 or TLSV1_3.';
const isSocket = (value: unknown) => typeof value === 'string' && value.startsWith('unix://');

/** Shrinks as Weft grows. */
export const gatewayNotCarriedOut: readonly NotCarriedOut[] = [
  { path: 'spec.servers[].port.protocol', level: 'error', why: 'use protocol TCP.', when: isMongo },
  {
    path: 'spec.servers[].port.targetPort',
    level: 'warning',
    why: 'the gateway listens where it was told to at its start.',
  },
  { path: 'spec.servers[].bind', level: 'error', why: 'gateways do not listen on Unix sockets.', when: isSocket },
  { path: 'spec.servers[].defaultEndpoint', level: 'error', why: 'route to a service with a VirtualService.' },
  {
    path: 'spec.servers[].tls.mode',
    level: 'error',
    why: 'use PASSTHROUGH and a VirtualService with tls routes.',
    when: isAutoPassthrough,
  },
  {
    path: 'spec.servers[].tls.insecureSkipVerify',
    level: 'error',
    why: 'client certificates are always verified; use OPTIONAL_MUTUAL to make them optional.',
    when: (value) => value === true,
  },
  { path: 'spec.servers[].tls.minProtocolVersion', level: 'error', why: oldTls, when: isOldTls },
  { path: 'spec.servers[].tls.maxProtocolVersion', level: 'error', why: oldTls, when: isOldTls },
  { path: 'spec.servers[].tls.caCrl', level: 'error', why: 'revoked certificates would be accepted; remove it.' },
];
