import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import { Random } from './testing/random.ts';

test('long-lived streams stay found beside a hundred thousand short ones', () => {
  const table = new StreamTable();
  const kept: Http2Stream[] = [];
  for (let id = 1; id < 200_000; id += 2) {
    const stream = table.add(id, 0, 0);
    if (id % 20_001 === 1) kept.push(stream);
    else table.remove(stream);
  }
  assert.equal(table.size, kept.length);
  for (const stream of kept) assert.equal(table.get(stream.id), stream);
  assert.deepEqual(new Set(table.all()), new Set(kept));
  for (const stream of kept) table.remove(stream);
  assert.equal(table.size, 0);
  for (const stream of kept) assert.equal(table.get(stream.id), null);
});

test('it agrees with a map over random opening and closing, thousands open at a time', () => {
  const random = new Random(5);
  const table = new StreamTable();
  const model = new Map<number, Http2Stream>();
  let next = 1;
  for (let step = 0; step < 60_000; step++) {
    if (random.below(10) < (step < 30_000 ? 6 : 4)) {
      model.set(next, table.add(next, 0, 0));
      next += 2 * (1 + random.below(3));
    } else {
      const id = 1 + 2 * random.below(next >> 1);
      const stream = model.get(id);
      assert.equal(table.get(id), stream ?? null);
      if (stream !== undefined) {
        table.remove(stream);
        table.remove(stream);
        model.delete(id);
      }
    }
    assert.equal(table.size, model.size);
  }
  assert.ok(model.size > 1000);
  assert.deepEqual(new Set(table.all()), new Set(model.values()));
});
