// Retries that a request asks for by its own headers (Envoy: x-envoy-retry-on, x-envoy-retry-grpc-on, x-envoy-retriable-status-codes,
// x-envoy-max-retries), on top of what the route says. At the edge of the mesh such headers have been removed before.

import type { Headers } from '@weft/lib/header';
import { compileRetryPolicy, compileRetryWords, type RetryPolicy } from './retry-policy.ts';

const onHeader = 'x-envoy-retry-on';
const onGrpcHeader = 'x-envoy-retry-grpc-on';
const statusesHeader = 'x-envoy-retriable-status-codes';
const countHeader = 'x-envoy-max-retries';
const all = [onHeader, onGrpcHeader, statusesHeader, countHeader];

/** The route's own policy, or one made for this request; the headers are taken away, as they are said to this proxy alone. */
export function requestedRetryPolicy(ofRoute: RetryPolicy | null, headers: Headers): RetryPolicy | null {
  if (!hasRetryHeader(headers)) return ofRoute;
  const words = [headers.get(onHeader), headers.get(onGrpcHeader)].filter((text) => text !== undefined).join(',');
  const statuses = readStatuses(headers.get(statusesHeader));
  const count = headers.get(countHeader);
  for (const name of all) headers.remove(name);
  if (ofRoute === null && words === '') return null;
  const base = ofRoute ?? compileRetryPolicy({}, { issues: [], path: '' });
  const worded = words === '' ? base : withWords(base, words);
  const policy = statuses.length === 0 ? worded : { ...worded, statuses: new Set([...base.statuses, ...statuses]) };
  return count !== undefined && /^\d{1,9}$/.test(count) ? { ...policy, numRetries: Number(count) } : policy;
}

// Most requests have none: one look at each name.
function hasRetryHeader(headers: Headers): boolean {
  for (let slot = 0; slot < headers.slots; slot++) {
    const name = headers.nameAt(slot);
    if (name.length < onHeader.length || !name.startsWith('x-envoy-')) continue;
    if (headers.present(slot) && all.includes(name)) return true;
  }
  return false;
}

// What is no status means nothing, as in Envoy.
function readStatuses(text: string | undefined): number[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => /^[1-5]\d\d$/.test(part))
    .map(Number);
}

// Words that are none mean nothing, as in Envoy.
function withWords(base: RetryPolicy, words: string): RetryPolicy {
  const { flags, grpcStatuses } = compileRetryWords(words, { issues: [], path: '' });
  const policy: RetryPolicy = { ...base, grpcStatuses: new Set([...base.grpcStatuses, ...grpcStatuses]) };
  for (const [flag, isSet] of Object.entries(flags)) if (isSet) Object.assign(policy, { [flag]: true });
  return policy;
}
