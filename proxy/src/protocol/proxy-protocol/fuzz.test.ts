import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';

test('two thousand mutated headers break no invariant', (context) => {
  const seed = Number(process.env.WEFT_FUZZ_SEED ?? Date.now() % 1e9);
  context.diagnostic(`seed ${seed}`);
  const { accepted, malformed } = fuzz(2000, seed);
  assert.ok(accepted > 100 && malformed > 100, `${accepted} ${malformed}`);
});
