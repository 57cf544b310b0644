// Short runs of the harnesses with a seed of the moment, which is printed: `WEFT_FUZZ_SEED=… npm test -- test/conformance/fuzz/fuzz.test.ts`
// runs one again, $WEFT_FUZZ_INPUTS makes it longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzFrames } from './frames.ts';
import { fuzzHpack } from './hpack.ts';
import { fuzzProxy } from './whole-proxy.ts';

const seed = Number(process.env.WEFT_FUZZ_SEED ?? Date.now() % 1e9);

function inputs(usual: number): number {
  return Number(process.env.WEFT_FUZZ_INPUTS ?? usual);
}

test('HPACK ends with a result, and what was encoded comes back', (context) => {
  context.diagnostic(`seed ${seed}`);
  const { decoded, refused } = fuzzHpack(inputs(2000), seed);
  // A run in which everything passes, or nothing does, would prove nothing.
  assert.ok(decoded > 100 && refused > 100, `${decoded} ${refused}`);
});

test('frames are the same at every split', (context) => {
  context.diagnostic(`seed ${seed}`);
  const { frames, refused } = fuzzFrames(inputs(300), seed);
  assert.ok(frames > 100 && refused > 5, `${frames} ${refused}`);
});

test('a whole proxy survives mutated clients and upstreams', async (context) => {
  context.diagnostic(`seed ${seed}`);
  const result = await fuzzProxy(context, inputs(800), seed);
  context.diagnostic(JSON.stringify(result));
  assert.ok(result.answered > 100 && result.forwarded > 50);
});
