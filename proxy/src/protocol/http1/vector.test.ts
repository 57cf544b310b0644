// Runs the vectors of testdata/: each whole, byte by byte, and cut in two at every offset.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { record } from './testing/event-recorder.ts';
import { readVectors } from './testing/vector-file.ts';

// A long input is cut in two only where something begins or ends.
function cutsToTry(length: number): number[] {
  const all = Array.from({ length }, (_, i) => i);
  return length <= 600 ? all : all.filter((i) => i < 100 || i > length - 100 || i % 997 === 0);
}

for (const [file, vectors] of readVectors()) {
  test(`${file} holds vectors`, () => assert.ok(vectors.length > 0));
  for (const vector of vectors) {
    test(vector.name, () => {
      const { input, options, events } = vector;
      assert.deepEqual(record(input, [], options).lines, events, 'whole');
      const everyByte = Array.from({ length: input.length }, (_, i) => i);
      assert.deepEqual(record(input, everyByte, options).lines, events, 'byte by byte');
      for (const cut of cutsToTry(input.length)) {
        assert.deepEqual(record(input, [cut], options).lines, events, `cut at ${cut}`);
      }
    });
  }
}
