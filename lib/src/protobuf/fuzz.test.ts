import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '../issue.ts';
import { ProtobufError } from './codec.ts';
import { decodeLayout } from './decode.ts';
import { encodeLayout } from './encode.ts';
import { layoutFromJson } from './from-json.ts';
import { layoutOf, messageNames } from './schema.ts';
import { layoutToJson } from './to-json.ts';

// Printed when a test fails; the count can be raised for a long run.
const seed = Number(process.env.WEFT_SEED ?? 20260101);
const rounds = Number(process.env.WEFT_ROUNDS ?? 6000);

function makeRandom(start: number): (limit: number) => number {
  let state = start >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * limit);
  };
}

/** Bytes that look like fields more often than pure noise would: small tags, small lengths, and noise between. */
function randomBytes(random: (limit: number) => number): Uint8Array {
  const bytes: number[] = [];
  const length = random(60);
  while (bytes.length < length) {
    bytes.push((random(20) << 3) | random(6));
    if (random(3) > 0) bytes.push(random(24));
    if (random(4) === 0) bytes.push(random(256));
  }
  return Uint8Array.from(bytes);
}

test(`takes any bytes as a message or refuses them, and then everything else works too (seed ${seed})`, () => {
  const random = makeRandom(seed);
  const names = messageNames();
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    const layout = layoutOf(names[random(names.length)] ?? '');
    const bytes = randomBytes(random);
    try {
      const message = decodeLayout(layout, bytes);
      accepted++;
      const again = encodeLayout(layout, message);
      assert.deepEqual(decodeLayout(layout, again), message, `${layout.name} ${Buffer.from(bytes).toString('hex')}`);
      const issues: Issue[] = [];
      layoutFromJson(layout, layoutToJson(layout, message, {}), issues, '');
    } catch (thrown) {
      if (thrown instanceof assert.AssertionError) throw thrown;
      const context = `${layout.name} ${Buffer.from(bytes).toString('hex')}`;
      assert.ok(thrown instanceof ProtobufError, `${context}: ${String(thrown)}`);
    }
  }
  assert.ok(
    accepted > rounds / 100,
    `${accepted} of ${rounds} were accepted: the bytes are too random to say anything`,
  );
});
