// Runs the vectors of testdata/: each whole, byte by byte, and cut in two at every offset.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readVectors, runVector } from './testing/vector-file.ts';

// A long input is cut in two only where something begins or ends.
function cutsToTry(length: number): number[] {
  const all = Array.from({ length }, (_, i) => i);
  return length <= 400 ? all : all.filter((i) => i < 80 || i > length - 80 || i % 997 === 0);
}

for (const [file, vectors] of readVectors()) {
  test(`${file} holds vectors`, () => assert.ok(vectors.length > 0));
  for (const vector of vectors) {
    test(vector.name, () => {
      assert.deepEqual(runVector(vector, []), vector.expected, 'whole');
      const everyByte = Array.from({ length: vector.input.length }, (_, i) => i);
      assert.deepEqual(runVector(vector, everyByte), vector.expected, 'byte by byte');
      for (const cut of cutsToTry(vector.input.length)) {
        assert.deepEqual(runVector(vector, [cut]), vector.expected, `cut at ${cut}`);
      }
    });
  }
}
