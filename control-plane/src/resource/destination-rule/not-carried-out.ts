// What a DestinationRule can say and Weft does not carry out yet. A policy stands in three places, hence the expansion.

import type { NotCarriedOut } from '../not-carried-out.ts';

const isOn = (value: unknown) =>
  !(typeof value === 'object' && value !== null && 'enabled' in value && value.enabled === false);

const isSet = (value: unknown) => value !== false;

/** Paths below a traffic policy or below the settings of one port. */
const perPort: readonly NotCarriedOut[] = [
  {
    path: 'loadBalancer.localityLbSetting',
    level: 'error',
    why: 'localities are not told apart; remove it, or set enabled: false.',
    when: isOn,
  },
  {
    path: 'loadBalancer.zoneAwareLbSetting',
    level: 'error',
    why: 'zones are not told apart; remove it, or set enabled: false.',
    when: isOn,
  },
  { path: 'loadBalancer.warmup', level: 'error', why: 'a new host gets its full share at once; remove it.' },
  {
    path: 'loadBalancer.warmupDurationSecs',
    level: 'error',
    why: 'a new host gets its full share at once; remove it.',
  },
  { path: 'loadBalancer.consistentHash.httpCookie.attributes', level: 'error', why: 'the cookie would lack them.' },
  { path: 'connectionPool.tcp.tcpKeepalive.probes', level: 'warning', why: 'the operating system decides how many.' },
  { path: 'connectionPool.tcp.tcpKeepalive.interval', level: 'warning', why: 'the operating system decides it.' },
  {
    path: 'outlierDetection.outlierDetectionHttpErrorCodes',
    level: 'error',
    why: 'only 5xx and gateway errors count.',
  },
  {
    path: 'outlierDetection.consecutiveErrors',
    level: 'deprecated',
    why: 'use consecutive5xxErrors or consecutiveGatewayErrors.',
  },
  { path: 'loadBalancer.consistentHash.minimumRingSize', level: 'deprecated', why: 'use ringHash.minimumRingSize.' },
  {
    path: 'loadBalancer.simple',
    level: 'deprecated',
    why: 'use LEAST_REQUEST.',
    when: (value) => value === 'LEAST_CONN',
  },
  { path: 'tls.caCrl', level: 'error', why: 'revoked certificates would be accepted; remove it.' },
];

const perPolicy: readonly NotCarriedOut[] = [
  { path: 'tunnel', level: 'error', why: 'connections would not go through the tunnel.' },
  { path: 'retryBudget.budgetInterval', level: 'warning', why: 'the budget is a share of the requests in flight.' },
  ...perPort,
  ...below('portLevelSettings[]', perPort),
];

function below(prefix: string, table: readonly NotCarriedOut[]): readonly NotCarriedOut[] {
  return table.map((entry) => ({ ...entry, path: `${prefix}.${entry.path}` }));
}

/** Shrinks as Weft grows. */
export const destinationRuleNotCarriedOut: readonly NotCarriedOut[] = [
  ...below('spec.trafficPolicy', perPolicy),
  ...below('spec.subsets[].trafficPolicy', perPolicy),
].map((entry) => ({ when: isSet, ...entry }));
