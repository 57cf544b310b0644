// Retries of a route, as Istio sets them: two by default, on failures that the upstream cannot have acted on.

import { parseDurationMs } from '@weft/api/resource/duration';
import type { HttpRetry } from '@weft/api/resource/http-route';
import type { envoy } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import { durationFromMs } from '@weft/lib/protobuf/duration';
import { durationOf } from '../message.ts';

type RetryPolicy = envoy.config.route.v3.RetryPolicy;

const defaultAttempts = 2;
const defaultConditions = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes';
const defaultStatuses: readonly number[] = [503];

/** A retry prefers a host that was not tried yet. */
const previousHosts = {
  name: 'envoy.retry_host_predicates.previous_hosts',
  typedConfig: packAny('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate', {}),
};

/** The retry policy of a route; undefined when it asks for none. */
export function retryPolicy(retries: HttpRetry | undefined): RetryPolicy | undefined {
  // As in Istio: two where nothing is said, none where it is not said how many.
  const attempts = retries === undefined ? defaultAttempts : (retries.attempts ?? 0);
  if (attempts === 0) return undefined;
  const { retryOn, statuses } = conditionsOf(retries?.retryOn);
  const perTryTimeout = durationOf(retries?.perTryTimeout);
  const backoffMs = retries?.backoff === undefined ? null : parseDurationMs(retries.backoff);
  return {
    retryOn,
    numRetries: attempts,
    ...(statuses.length > 0 ? { retriableStatusCodes: statuses } : {}),
    ...(perTryTimeout === undefined ? {} : { perTryTimeout }),
    ...(backoffMs === null ? {} : { retryBackOff: { baseInterval: durationFromMs(backoffMs) } }),
    ...(retries?.retryIgnorePreviousHosts === false ? {} : { retryHostPredicate: [previousHosts] }),
    hostSelectionRetryMaxAttempts: 5,
  };
}

/** Numbers in `retryOn` are statuses: `5xx,reset,418`. */
function conditionsOf(retryOn: string | undefined): { readonly retryOn: string; readonly statuses: readonly number[] } {
  if (retryOn === undefined || retryOn.trim() === '') return { retryOn: defaultConditions, statuses: defaultStatuses };
  const parts = retryOn.split(',').map((part) => part.trim());
  const statuses = parts.filter((part) => /^\d{3}$/.test(part)).map(Number);
  const names = parts.filter((part) => part !== '' && !/^\d+$/.test(part));
  if (statuses.length > 0 && !names.includes('retriable-status-codes')) names.push('retriable-status-codes');
  return { retryOn: names.join(','), statuses };
}
