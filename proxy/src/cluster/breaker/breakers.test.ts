import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scope } from '@weft/lib/metrics';
import { Breakers, defaultLimits } from './breakers.ts';

function gauge(scope: Scope, name: string): number {
  return scope.gauge(`circuit_breakers.default.${name}`).value;
}

test('refuses what is over a limit and takes again what was given back', () => {
  const scope = new Scope({ prefix: 'cluster' });
  const breakers = new Breakers({ ...defaultLimits, maxConnections: 1, maxPending: 2, maxRequests: 1 }, scope);
  assert.deepEqual([breakers.tryConnection(), breakers.tryConnection()], [true, false]);
  assert.deepEqual([breakers.tryPending(), breakers.tryPending(), breakers.tryPending()], [true, true, false]);
  assert.deepEqual([breakers.tryRequest(), breakers.tryRequest()], [true, false]);
  assert.deepEqual([gauge(scope, 'cx_open'), gauge(scope, 'rq_pending_open'), gauge(scope, 'rq_open')], [1, 1, 1]);
  breakers.releaseConnection();
  breakers.releasePending();
  breakers.releaseRequest();
  assert.deepEqual([gauge(scope, 'cx_open'), gauge(scope, 'rq_pending_open'), gauge(scope, 'rq_open')], [0, 0, 0]);
  assert.deepEqual([breakers.tryConnection(), breakers.tryPending(), breakers.tryRequest()], [true, true, true]);
});

test('a limit of zero lets nothing pass and is open from the start', () => {
  const scope = new Scope({ prefix: 'cluster' });
  const breakers = new Breakers({ ...defaultLimits, maxRequests: 0 }, scope);
  assert.equal(gauge(scope, 'rq_open'), 1);
  assert.equal(breakers.tryRequest(), false);
});

test('the retry budget is a fifth of the requests in flight, and at least three', () => {
  const breakers = new Breakers(defaultLimits, new Scope({ prefix: 'cluster' }));
  assert.equal(breakers.maxRetries(), 3);
  for (let i = 0; i < 50; i++) breakers.tryRequest();
  assert.equal(breakers.maxRetries(), 10);
  let granted = 0;
  while (breakers.tryRetry()) granted++;
  assert.equal(granted, 10);
  for (let i = 0; i < 50; i++) breakers.releaseRequest();
  assert.equal(breakers.tryRetry(), false);
  for (let i = 0; i < 8; i++) breakers.releaseRetry();
  assert.equal(breakers.tryRetry(), true);
});

test('a fixed number of retries replaces the budget', () => {
  const breakers = new Breakers({ ...defaultLimits, maxRetries: 1 }, new Scope({ prefix: 'cluster' }));
  for (let i = 0; i < 100; i++) breakers.tryRequest();
  assert.deepEqual([breakers.tryRetry(), breakers.tryRetry()], [true, false]);
});

test('shows what remains where that is asked for', () => {
  const scope = new Scope({ prefix: 'cluster' });
  const breakers = new Breakers({ ...defaultLimits, maxRequests: 5, trackRemaining: true }, scope, 'default');
  breakers.tryRequest();
  assert.equal(gauge(scope, 'remaining_rq'), 4);
});
