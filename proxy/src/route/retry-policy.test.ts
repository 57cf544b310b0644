import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import { findIssues, makeTable, matched, request, routesOnly, to } from '../../../test/kit/routes.ts';
import type { RetryPolicy } from './retry-policy.ts';

function policyOf(config: object): RetryPolicy {
  const { retry } = matched(makeTable(routesOnly([to('web', { prefix: '/' }, {}, { retry_policy: config })])));
  assert.ok(retry);
  return retry;
}

test('knows every word', () => {
  const words =
    '5xx, gateway-error,reset,connect-failure,retriable-4xx,refused-stream,retriable-status-codes,retriable-headers,reset-before-request,envoy-ratelimited,non-idempotent,http3-post-connect-failure';
  const policy = policyOf({ retry_on: words, retriable_status_codes: [418] });
  for (const flag of [
    'on5xx',
    'onGatewayError',
    'onReset',
    'onConnectFailure',
    'onRetriable4xx',
    'onRefusedStream',
    'onRetriableHeaders',
    'onResetBeforeRequest',
    'onRateLimited',
    'retriesNonIdempotent',
  ] as const) {
    assert.equal(policy[flag], true, flag);
  }
  assert.deepEqual([...policy.statuses], [418]);
  const grpc = policyOf({ retry_on: 'cancelled,deadline-exceeded,internal,resource-exhausted,unavailable' });
  assert.deepEqual([...grpc.grpcStatuses], [1, 4, 13, 8, 14]);
  assert.equal(grpc.on5xx, false);
});

test('has the defaults of Envoy', () => {
  const policy = policyOf({ retry_on: 'reset' });
  assert.deepEqual(
    [
      policy.numRetries,
      policy.perTryTimeoutMs,
      policy.backOffBaseMs,
      policy.backOffMaxMs,
      policy.avoidsPreviousHosts,
      policy.hostSelectionAttempts,
    ],
    [1, 0, 25, 250, false, 1],
  );
});

test('status codes count only with their word', () => {
  assert.equal(policyOf({ retry_on: 'reset', retriable_status_codes: [503] }).onStatuses, false);
});

test('reads times, and avoids hosts where told to', () => {
  const policy = policyOf({
    retry_on: '5xx',
    num_retries: 4,
    per_try_timeout: '2s',
    retry_back_off: { base_interval: '0.1s' },
    retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
    host_selection_retry_max_attempts: 5,
  });
  assert.deepEqual(
    [
      policy.numRetries,
      policy.perTryTimeoutMs,
      policy.backOffBaseMs,
      policy.backOffMaxMs,
      policy.avoidsPreviousHosts,
      policy.hostSelectionAttempts,
    ],
    [4, 2000, 100, 1000, true, 5],
  );
});

test('looks at response headers, and applies to the requests it names', () => {
  const policy = policyOf({
    retry_on: 'retriable-headers',
    retriable_headers: [{ name: 'x-retry', present_match: true }],
    retriable_request_headers: [{ name: ':method', string_match: { exact: 'GET' } }],
  });
  assert.equal(policy.matchesHeaders(Headers.of('x-retry', '1')), true);
  assert.equal(policy.matchesHeaders(Headers.of()), false);
  assert.equal(policy.appliesTo(request()), true);
  assert.equal(policy.appliesTo(request({ method: 'POST' })), false);
});

test("the route's policy replaces the virtual host's whole", () => {
  const host = { retry_policy: { retry_on: '5xx', num_retries: 3 } };
  assert.equal(matched(makeTable(routesOnly([to('web')], {}, host))).retry?.numRetries, 3);
  const own = makeTable(routesOnly([to('web', { prefix: '/' }, {}, { retry_policy: { num_retries: 2 } })], {}, host));
  assert.deepEqual([matched(own).retry?.numRetries, matched(own).retry?.on5xx], [2, false]);
});

test('reports what it cannot do', () => {
  const retry_policy = {
    retry_on: '5xx,sometimes',
    retry_back_off: { base_interval: '1s', max_interval: '0.5s' },
    retry_host_predicate: [{ name: 'envoy.retry_host_predicates.omit_canary_hosts' }],
    retriable_status_codes: [99],
  };
  const issues = findIssues(routesOnly([to('web')], {}, { retry_policy }));
  assert.deepEqual(
    issues.map((text) => text.replace('virtual_hosts[0].retry_policy.', '')),
    [
      'WEFT0320 retry_on',
      'WEFT0321 retry_back_off.max_interval',
      'WEFT0322 retry_host_predicate[0]',
      'WEFT0323 retriable_status_codes[0]',
    ],
  );
});
