import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';

test('a thousand mutated inputs break no invariant', (context) => {
  const seed = Number(process.env.WEFT_FUZZ_SEED ?? Date.now() % 1e9);
  context.diagnostic(`seed ${seed}`);
  const { accepted, refused, blocks } = fuzz(1000, seed);
  // A run in which everything passes, or nothing does, would prove nothing.
  assert.ok(accepted > 50 && refused > 100 && blocks > 100, `${accepted} ${refused} ${blocks}`);
});
