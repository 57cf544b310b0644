// Retries and time-outs that a request asks for by its own headers (Envoy: x-envoy-retry-on and its like), on top of what the route
// says. At the edge of the mesh such headers have been removed before.

import type { Headers } from '@weft/lib/header';
import { compileRetryPolicy, compileRetryWords, type RetryPolicy } from './retry-policy.ts';

const prefix = 'x-envoy-';
const onHeader = 'x-envoy-retry-on';
const onGrpcHeader = 'x-envoy-retry-grpc-on';
const countHeader = 'x-envoy-max-retries';
const statusesHeader = 'x-envoy-retriable-status-codes';
const namesHeader = 'x-envoy-retriable-header-names';
const timeoutHeader = 'x-envoy-upstream-rq-timeout-ms';
const timeoutAnswerHeader = 'x-envoy-upstream-rq-timeout-alt-response';
const attemptDurationHeader = 'x-envoy-upstream-stream-duration-ms';
const tryTimeoutHeader = 'x-envoy-upstream-rq-per-try-timeout-ms';

const policyHeaders = [onHeader, onGrpcHeader, countHeader, statusesHeader, namesHeader, tryTimeoutHeader];
const allHeaders: ReadonlySet<string> = new Set([
  ...policyHeaders,
  timeoutHeader,
  timeoutAnswerHeader,
  attemptDurationHeader,
]);

/** Most requests have none of these headers: one look at each name. */
export function asksForItself(headers: Headers): boolean {
  for (let slot = 0; slot < headers.slots; slot++) {
    const name = headers.nameAt(slot);
    if (name.startsWith(prefix) && allHeaders.has(name) && headers.present(slot)) return true;
  }
  return false;
}

/** Milliseconds for the whole response in place of the route's, 0 for ever; the header is taken away, as it is said to this proxy alone. */
export function requestedTimeoutMs(ofRoute: number, headers: Headers): number {
  const asked = numberOf(headers.get(timeoutHeader));
  headers.remove(timeoutHeader);
  return asked < 0 ? ofRoute : asked;
}

/** Whether a time-out is to be answered with 204 in place of 504, by the mere presence of its header, which is taken away. */
export function wantsNoContentOnTimeout(headers: Headers): boolean {
  const isAsked = headers.has(timeoutAnswerHeader);
  if (isAsked) headers.remove(timeoutAnswerHeader);
  return isAsked;
}

/** Milliseconds for an attempt as a whole in place of the cluster's, 0 for ever, -1 without a word about it; the header is taken away. */
export function requestedAttemptMs(headers: Headers): number {
  const asked = numberOf(headers.get(attemptDurationHeader));
  headers.remove(attemptDurationHeader);
  return asked;
}

/** The route's own policy, or one made for this request; the headers are taken away. */
export function requestedRetryPolicy(ofRoute: RetryPolicy | null, headers: Headers): RetryPolicy | null {
  const words = [headers.get(onHeader), headers.get(onGrpcHeader)].filter((text) => text !== undefined).join(',');
  const count = numberOf(headers.get(countHeader));
  const tryMs = numberOf(headers.get(tryTimeoutHeader));
  // What is no status means nothing, as in Envoy.
  const statuses = listOf(headers.get(statusesHeader))
    .filter((text) => /^[1-5]\d\d$/.test(text))
    .map(Number);
  const names = listOf(headers.get(namesHeader)).map((name) => name.toLowerCase());
  for (const name of policyHeaders) headers.remove(name);
  if (ofRoute === null && words === '') return tryMs > 0 ? { ...noRetries(), perTryTimeoutMs: tryMs } : null;
  const base = ofRoute ?? emptyPolicy();
  const policy = words === '' ? base : withWords(base, words);
  return {
    ...policy,
    ...(count < 0 ? {} : { numRetries: count }),
    ...(tryMs < 0 ? {} : { perTryTimeoutMs: tryMs }),
    statuses: statuses.length === 0 ? policy.statuses : new Set([...policy.statuses, ...statuses]),
    matchesHeaders: (given) => policy.matchesHeaders(given) || names.some((name) => given.has(name)),
  };
}

function emptyPolicy(): RetryPolicy {
  return compileRetryPolicy({}, { issues: [], path: '' });
}

function noRetries(): RetryPolicy {
  return { ...emptyPolicy(), numRetries: 0 };
}

/** -1 when it is none. */
function numberOf(text: string | undefined): number {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : -1;
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

// Words that are none mean nothing, as in Envoy.
function withWords(base: RetryPolicy, words: string): RetryPolicy {
  const { flags, grpcStatuses } = compileRetryWords(words, { issues: [], path: '' });
  const policy: RetryPolicy = { ...base, grpcStatuses: new Set([...base.grpcStatuses, ...grpcStatuses]) };
  for (const [flag, isSet] of Object.entries(flags)) if (isSet) Object.assign(policy, { [flag]: true });
  return policy;
}
