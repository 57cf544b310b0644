// Envoy's response flags: the letters and their long names.

import type { LoggedView } from '../view.ts';

/** Letters to long names, as in Envoy's documentation of `%RESPONSE_FLAGS_LONG%`. */
export const flagNames: ReadonlyMap<string, string> = new Map([
  ['DC', 'DownstreamConnectionTermination'],
  ['DF', 'DnsResolutionFailed'],
  ['DI', 'DelayInjected'],
  ['DO', 'DropOverload'],
  ['DPE', 'DownstreamProtocolError'],
  ['DR', 'DownstreamRemoteReset'],
  ['DT', 'DurationTimeout'],
  ['FI', 'FaultInjected'],
  ['IH', 'InvalidEnvoyRequestHeaders'],
  ['LH', 'FailedLocalHealthCheck'],
  ['LR', 'LocalReset'],
  ['NC', 'NoClusterFound'],
  ['NFCF', 'NoFilterConfigFound'],
  ['NR', 'NoRouteFound'],
  ['OM', 'OverloadManagerTerminated'],
  ['RFCF', 'ResponseFromCacheFilter'],
  ['RL', 'RateLimited'],
  ['RLSE', 'RateLimitServiceError'],
  ['SI', 'StreamIdleTimeout'],
  ['UAEX', 'UnauthorizedExternalService'],
  ['UC', 'UpstreamConnectionTermination'],
  ['UDO', 'UnconditionalDropOverload'],
  ['UF', 'UpstreamConnectionFailure'],
  ['UH', 'NoHealthyUpstream'],
  ['UMSDR', 'UpstreamMaxStreamDurationReached'],
  ['UO', 'UpstreamOverflow'],
  ['UPE', 'UpstreamProtocolError'],
  ['UR', 'UpstreamRemoteReset'],
  ['URX', 'UpstreamRetryLimitExceeded'],
  ['UT', 'UpstreamRequestTimeout'],
]);

/** The flags of an exchange, comma-separated, or an empty string. */
export function flagsOf(view: LoggedView): string {
  const { fault, extraFlags } = view;
  if (fault === null || fault.flag === '-') return extraFlags;
  if (extraFlags === '') return fault.flag;
  return extraFlags.split(',').includes(fault.flag) ? extraFlags : `${fault.flag},${extraFlags}`;
}

/** The same by their long names. */
export function flagNamesOf(view: LoggedView): string {
  const flags = flagsOf(view);
  if (flags === '') return '';
  return flags
    .split(',')
    .map((flag) => flagNames.get(flag) ?? flag)
    .join(',');
}
