// What a worker held when it died is free again, and what others hold is not.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Scope } from '@weft/lib/metrics';
import { Breakers, defaultLimits } from '../cluster/breaker/breakers.ts';
import type { ClusterCells } from './messages.ts';
import { SharedCells } from './shared-cells.ts';

it('gives back what a dead worker held', () => {
  const main = new SharedCells(2, 0);
  const workers = [new SharedCells(2, 1), new SharedCells(2, 2)];
  main.onMade = (made) => {
    for (const worker of workers) worker.put(made);
  };
  main.cellsOf('a');
  const [first, second] = workers.map(({ slot, cellsOf: _cellsOf }, i) => {
    const cells = (workers[i] as SharedCells).cellsOf('a');
    return new Breakers(defaultLimits, new Scope({ prefix: 'cluster' }), 'default', { cells, slot, firstLimit: 0 });
  });
  first?.tryRequest();
  first?.tryRequest();
  first?.tryConnection();
  second?.tryRequest();
  main.giveBack(1);
  assert.equal(second?.activeRequests, 1);
  assert.equal(second?.activeConnections, 0);
  main.giveBack(1);
  assert.equal(second?.activeRequests, 1);
});

it('makes a block once per cluster and tells of it', () => {
  const made: ClusterCells[] = [];
  const cells = new SharedCells(2, 0);
  cells.onMade = (one) => made.push(one);
  assert.equal(cells.cellsOf('a'), cells.cellsOf('a'));
  cells.forget('a');
  cells.cellsOf('a');
  assert.deepEqual(
    made.map(({ cluster }) => cluster),
    ['a', 'a'],
  );
  assert.equal(cells.all().length, 1);
});
