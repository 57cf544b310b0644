// Whether and when to try again (Envoy: RetryPolicy.retry_on), with one rule of ours: a request that may not be repeated is not,
// once bytes of it were sent, unless the policy says `non-idempotent`. A gRPC status that the policy names is an exception: every gRPC
// call is a POST, and whoever names the status knows what it means to repeat the call.

import type { Headers } from '@weft/lib/header';
import { type Fault, fault } from '../../fault/fault.ts';
import type { RetryPolicy } from '../../route/retry-policy.ts';
import type { Exchange } from '../../stream/exchange.ts';

// RFC 9110 §9.2.2, and CONNECT, whose repetition opens another tunnel.
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'CONNECT']);

/** Whether sending the request twice means the same as sending it once. */
export function isIdempotent(method: string): boolean {
  return idempotent.has(method);
}

function mayRepeat(policy: RetryPolicy, exchange: Exchange): boolean {
  return policy.retriesNonIdempotent || isIdempotent(exchange.method);
}

/** An answer came that the policy does not want. */
export function isRetriableResponse(
  policy: RetryPolicy,
  status: number,
  headers: Headers,
  exchange: Exchange,
): boolean {
  if (exchange.upgrade !== null || !policy.appliesTo(exchange)) return false;
  // Whoever limits the rate says so, and no other word of the policy makes up for it.
  const isRateLimited = headers.has('x-envoy-ratelimited');
  if (isRateLimited && !policy.onRateLimited) return false;
  if (hasRetriableGrpcStatus(policy, headers)) return true;
  if (!mayRepeat(policy, exchange)) return false;
  if (isRateLimited) return true;
  if (policy.on5xx && status >= 500) return true;
  if (policy.onGatewayError && status >= 502 && status <= 504) return true;
  if (policy.onRetriable4xx && status === 409) return true;
  if (policy.onStatuses && policy.statuses.has(status)) return true;
  return policy.onRetriableHeaders && policy.matchesHeaders(headers);
}

// A trailers-only response carries its status among the headers. As in Envoy one in trailers comes too late: the response has begun.
function hasRetriableGrpcStatus(policy: RetryPolicy, headers: Headers): boolean {
  if (policy.grpcStatuses.size === 0) return false;
  const status = headers.get('grpc-status');
  return status !== undefined && policy.grpcStatuses.has(Number(status));
}

/** No answer came. `wasSent` when the head of the attempt was handed to a connection. */
export function isRetriableFault(policy: RetryPolicy, reason: Fault, exchange: Exchange, wasSent: boolean): boolean {
  if (!policy.appliesTo(exchange)) return false;
  if (policy.onResetBeforeRequest && isBeforeRequest(reason, wasSent)) return true;
  if (reason.retriable === 'yes') {
    const byName = reason === fault.upstream_refused ? policy.onRefusedStream : policy.onConnectFailure;
    return byName || policy.on5xx || policy.onGatewayError || policy.onReset;
  }
  if (reason.retriable === 'never' || !mayRepeat(policy, exchange)) return false;
  return policy.on5xx || policy.onGatewayError || policy.onReset;
}

// A stream that was refused had been sent; a connection found closed before a byte left had not.
function isBeforeRequest(reason: Fault, wasSent: boolean): boolean {
  if (reason.retriable === 'never' || reason === fault.upstream_refused) return false;
  return !wasSent || reason.retriable === 'yes';
}

/** Full jitter over an exponentially growing interval (Envoy: RetryBackOff). `attempt` counts from 1. */
export function backOffMs(policy: RetryPolicy, attempt: number, random: number): number {
  const ceilingMs = Math.min(policy.backOffMaxMs, policy.backOffBaseMs * (2 ** attempt - 1));
  return random * ceilingMs;
}
