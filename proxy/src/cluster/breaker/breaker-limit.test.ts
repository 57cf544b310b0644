// Limits that workers hold together: exact, and without what a worker that died had.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Scope } from '@weft/lib/metrics';
import { Breakers, defaultLimits, sharedLimitCount } from './breakers.ts';

/** Breakers of the same cluster in so many workers. */
function makeShared(limits: Partial<typeof defaultLimits>): [first: Breakers, second: Breakers] {
  const cells = new Int32Array(sharedLimitCount * 3);
  const make = (slot: number): Breakers =>
    new Breakers({ ...defaultLimits, ...limits }, new Scope({ prefix: 'cluster' }), 'default', {
      cells,
      slot,
      firstLimit: 0,
    });
  return [make(1), make(2)];
}

describe('breakers of two workers', () => {
  it('count together', () => {
    const [first, second] = makeShared({ maxRequests: 2 });
    assert.equal(first.tryRequest(), true);
    assert.equal(second.tryRequest(), true);
    assert.equal(first.tryRequest(), false);
    assert.equal(second.activeRequests, 2);
    first.releaseRequest();
    assert.equal(second.tryRequest(), true);
    assert.equal(first.activeRequests, 2);
  });

  it('give back only what they hold themselves', () => {
    const [first, second] = makeShared({});
    first.tryPending();
    second.releasePending();
    assert.equal(first.activePending, 1);
  });

  it('take the retry budget from the load of both', () => {
    const [first, second] = makeShared({ retryBudgetMin: 0, retryBudgetPercent: 50 });
    first.tryRequest();
    assert.equal(second.tryRetry(), false);
    second.tryRequest();
    assert.equal(second.tryRetry(), true);
    assert.equal(first.tryRetry(), false);
  });

  it('let a pool without a connection have one beyond the limit', () => {
    const [first, second] = makeShared({ maxConnections: 1 });
    assert.equal(first.tryConnection(), true);
    assert.equal(second.tryConnection(), false);
    second.takeFirstConnection();
    assert.equal(first.activeConnections, 2);
  });

  it('keep the priorities apart', () => {
    const cells = new Int32Array(sharedLimitCount * 2);
    const limits = { ...defaultLimits, maxRequests: 1 };
    const scope = new Scope({ prefix: 'cluster' });
    const normal = new Breakers(limits, scope, 'default', { cells, slot: 1, firstLimit: 0 });
    const high = new Breakers(limits, scope, 'high', { cells, slot: 1, firstLimit: 4 });
    assert.equal(normal.tryRequest(), true);
    assert.equal(high.tryRequest(), true);
    high.show();
    assert.equal(scope.gauge('circuit_breakers.high.rq_open').value, 1);
  });
});
