import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import { requestedRetryPolicy } from './requested-retry.ts';
import { compileRetryPolicy } from './retry-policy.ts';

const ofRoute = compileRetryPolicy({ retryOn: 'reset', numRetries: 3 }, { issues: [], path: '' });

test('a request without such headers has the policy of its route', () => {
  assert.equal(requestedRetryPolicy(ofRoute, Headers.of('x-envoy-attempt-count', '1', 'a', 'b')), ofRoute);
  assert.equal(requestedRetryPolicy(null, Headers.of('a', 'b')), null);
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
