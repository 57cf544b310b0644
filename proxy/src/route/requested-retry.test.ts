import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import { asksForItself, requestedRetryPolicy, requestedTimeoutMs } from './requested-retry.ts';
import { compileRetryPolicy } from './retry-policy.ts';

const ofRoute = compileRetryPolicy({ retryOn: 'reset', numRetries: 3 }, { issues: [], path: '' });

test('a request without such headers has the policy of its route', () => {
  const headers = Headers.of('x-envoy-attempt-count', '1', 'a', 'b');
  assert.equal(asksForItself(headers), false);
  assert.equal(asksForItself(Headers.of('a', 'b', 'x-envoy-max-retries', '1')), true);
  assert.equal(requestedRetryPolicy(null, headers), null);
});

test('a request adds conditions to those of its route', () => {
  const headers = Headers.of(
    ...['x-envoy-retry-on', '5xx,nonsense', 'x-envoy-retry-grpc-on', 'unavailable', 'x-envoy-max-retries', '7'],
    ...['other', 'stays'],
  );
  const policy = requestedRetryPolicy(ofRoute, headers);
  assert.deepEqual([policy?.onReset, policy?.on5xx, policy?.onConnectFailure], [true, true, false]);
  assert.deepEqual([...(policy?.grpcStatuses ?? [])], [14]);
  assert.equal(policy?.numRetries, 7);
  assert.deepEqual(headers.entries(), [['other', 'stays']]);
  assert.equal(ofRoute.on5xx, false);
});

test('a request has retries of its own where the route has none', () => {
  const policy = requestedRetryPolicy(null, Headers.of('x-envoy-retry-grpc-on', 'cancelled'));
  assert.deepEqual([policy?.numRetries, policy?.grpcStatuses.has(1)], [1, true]);
  assert.equal(requestedRetryPolicy(null, Headers.of('x-envoy-max-retries', '4')), null);
});

test('a count that is none changes nothing', () => {
  for (const count of ['-1', 'many', '']) {
    assert.equal(requestedRetryPolicy(ofRoute, Headers.of('x-envoy-max-retries', count))?.numRetries, 3);
  }
});

test('statuses and headers count where the words for them do', () => {
  const lists = [
    ...['x-envoy-retriable-status-codes', '503, bad,404', 'x-envoy-retriable-header-names', 'X-Again, other'],
    ...['x-stays', '1'],
  ];
  const headers = Headers.of('x-envoy-retry-on', 'retriable-status-codes,retriable-headers', ...lists);
  const policy = requestedRetryPolicy(null, headers);
  assert.deepEqual([...(policy?.statuses ?? [])], [503, 404]);
  assert.equal(policy?.matchesHeaders(Headers.of('x-again', '')), true);
  assert.equal(policy?.matchesHeaders(Headers.of('x-once', '')), false);
  assert.deepEqual(headers.entries(), [['x-stays', '1']]);
  const without = requestedRetryPolicy(null, Headers.of('x-envoy-retry-on', '5xx', ...lists));
  assert.deepEqual([without?.onStatuses, without?.onRetriableHeaders], [false, false]);
});

test('a request has time-outs of its own, also without a retry', () => {
  const headers = Headers.of('x-envoy-upstream-rq-timeout-ms', '300', 'x-envoy-upstream-rq-per-try-timeout-ms', '200');
  const policy = requestedRetryPolicy(null, headers);
  assert.deepEqual([policy?.perTryTimeoutMs, policy?.numRetries], [200, 0]);
  assert.equal(requestedTimeoutMs(15_000, headers), 300);
  assert.deepEqual(headers.entries(), []);
  assert.equal(requestedTimeoutMs(15_000, Headers.of('x-envoy-upstream-rq-timeout-ms', '0')), 0);
  assert.equal(requestedTimeoutMs(15_000, Headers.of('x-envoy-upstream-rq-timeout-ms', 'soon')), 15_000);
});
