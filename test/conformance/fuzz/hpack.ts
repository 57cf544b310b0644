// Fuzzes HPACK alone: whatever bytes come, decoding ends with a result within its limits, and what was encoded decodes to the same.

import assert from 'node:assert/strict';
import { ByteWriter } from '@weft/lib/bytes';
import { HpackDecoder, MALFORMED, OK } from '@weft/proxy/protocol/http2/hpack/decoder';
import { HpackEncoder } from '@weft/proxy/protocol/http2/hpack/encoder';
import { Random } from '@weft/proxy/protocol/http2/testing/random';

const listBytesMax = 8000;
const listCountMax = 60;
const tableSizes = [0, 1, 32, 100, 4096, 65_536];

/** Literals of each kind, references, changes of the table, Huffman text, integers without end. */
const pieces = [
  '82',
  '86',
  'be',
  'bf',
  'ff80',
  'ffffffffff0f',
  '4001610131',
  '000161026262',
  '1001630164',
  '20',
  '3f01',
]
  .concat(['3fe11f', '3fe1ff03', '40818c0131', '0f0d0135', '418cf1e3c2e5f23a6ba0ab90f4ff', '8141', '7f', '00'])
  .map((hex) => Buffer.from(hex, 'hex'));

/** What a run saw. */
export interface HpackResult {
  readonly decoded: number;
  readonly refused: number;
}

type Field = readonly [name: string, value: string];

/** Runs that many inputs; throws at the first that breaks an invariant, naming it. */
export function fuzzHpack(inputs: number, seed: number): HpackResult {
  const random = new Random(seed);
  let decoded = 0;
  let refused = 0;
  for (let number = 0; number < inputs; number++) {
    try {
      if (decodesBytes(random)) decoded++;
      else refused++;
      comesBack(random);
    } catch (cause) {
      throw new Error(`input ${number} of seed ${seed}`, { cause });
    }
  }
  return { decoded, refused };
}

function decodesBytes(random: Random): boolean {
  const decoder = new HpackDecoder(random.pick(tableSizes), listBytesMax, listCountMax);
  if (random.below(2) === 0) decoder.acknowledge();
  for (let block = random.below(3); block >= 0; block--) {
    const parts = Array.from({ length: random.below(6) }, () =>
      random.below(20) === 0 ? random.bytes(random.below(6)) : random.pick(pieces),
    );
    const bytes = Buffer.concat(parts);
    const result = decoder.decode(bytes, 0, bytes.length);
    if (result === MALFORMED) return false;
    if (result !== OK) continue;
    const size = decoder.names.reduce((sum, name, at) => sum + name.length + (decoder.values[at]?.length ?? 0) + 32, 0);
    assert.ok(decoder.names.length <= listCountMax && size <= listBytesMax, `${size} bytes of fields`);
  }
  return true;
}

function randomText(random: Random, longest: number): string {
  return random.bytes(random.below(longest)).toString('latin1');
}

function randomFields(random: Random): Field[] {
  const names = [':path', 'cookie', 'x-a', 'content-length', randomText(random, 20)];
  const values = ['', '/', 'a=b', '0', 'v'.repeat(random.below(300)), randomText(random, 60)];
  return Array.from({ length: random.below(20) }, (): Field => [random.pick(names), random.pick(values)]);
}

// The peer changes the size of its table between blocks; both tables stay in step.
function comesBack(random: Random): void {
  const size = random.pick(tableSizes);
  const decoder = new HpackDecoder(size, 1_000_000, 1000);
  const encoder = new HpackEncoder();
  encoder.setPeerTableSize(size);
  if (size < 4096) decoder.acknowledge();
  for (let block = 0; block < 4; block++) {
    const fields = randomFields(random);
    const out = new ByteWriter(64);
    encoder.begin(out);
    for (const [name, value] of fields) encoder.field(out, name, value);
    const bytes = out.take();
    assert.equal(decoder.decode(bytes, 0, bytes.length), OK, bytes.toString('hex'));
    const again = decoder.names.map((name, at): Field => [name, decoder.values[at] ?? '']);
    assert.deepEqual(again, fields);
  }
}
