// Fuzzes the PROXY protocol decoder: `node fuzz.ts --inputs 1000000 --seed 1`. Inputs are mutated vectors. Whatever comes in, the
// decoder does not throw, does not claim more bytes than there are, says the same of every longer input once it has decided, and
// what it accepts reads the same after it was encoded again.

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../http2/testing/random.ts';
import { decodeHeader, isMalformed, readSignature } from './decode.ts';
import { encodeHeader } from './encode.ts';
import { maxHeaderBytes, type ProxyVersion } from './header.ts';
import { describeHeader } from './testing/describe.ts';
import { v1Vectors, v2Vectors } from './testing/vectors.ts';

/** What a run saw; a run that accepts nothing, or refuses nothing, tests nothing. */
export interface FuzzResult {
  readonly inputs: number;
  readonly accepted: number;
  readonly malformed: number;
}

const corpus = [...v1Vectors, ...v2Vectors].map(({ bytes }) => bytes).filter(({ length }) => length < 1000);
const both: readonly ProxyVersion[] = [1, 2];

function mutate(input: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(input);
  for (let times = random.below(3); times > 0; times--) {
    if (bytes.length > 0)
      bytes[random.below(bytes.length)] = random.below(4) === 0 ? random.below(256) : 0x30 + random.below(11);
  }
  const other = random.pick(corpus);
  const cut = random.below(3) === 0 ? random.below(bytes.length + 1) : bytes.length;
  return Buffer.concat([bytes.subarray(0, cut), other.subarray(random.below(other.length + 1))]);
}

type Outcome = 'accepted' | 'malformed' | 'undecided';

function check(input: Buffer): Outcome {
  const version = readSignature(input, both);
  if (typeof version === 'string') return 'undecided';
  const result = decodeHeader(input, version);
  let decided: string | null = null;
  for (let length = version === 1 ? 6 : 12; length <= input.length; length++) {
    const early = decodeHeader(input.subarray(0, length), version);
    if (early === 'more') continue;
    decided ??= describeHeader(early);
    assert.equal(describeHeader(early), decided, `at ${length} bytes`);
  }
  if (result === 'more') return 'undecided';
  assert.equal(describeHeader(result), decided);
  if (isMalformed(result)) return 'malformed';
  assert.ok(result.length <= input.length && result.length <= maxHeaderBytes);
  if (result.header.ends === null) return 'accepted';
  const again = decodeHeader(encodeHeader(result.header), version);
  assert.ok(again !== 'more');
  assert.equal(describeHeader(again), describeHeader(result));
  return 'accepted';
}

/** Runs that many inputs; throws at the first that breaks an invariant, naming seed, number and bytes. */
export function fuzz(inputs: number, seed: number): FuzzResult {
  const random = new Random(seed);
  const count = { accepted: 0, malformed: 0, undecided: 0 };
  for (let number = 0; number < inputs; number++) {
    const input = mutate(random.pick(corpus), random);
    try {
      count[check(input)]++;
    } catch (cause) {
      throw new Error(`input ${number} of seed ${seed}: ${input.toString('hex')}`, { cause });
    }
  }
  return { inputs, accepted: count.accepted, malformed: count.malformed };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '100000' },
      seed: { type: 'string', default: String(Date.now() % 1e9) },
    },
  });
  const result = fuzz(Number(values.inputs), Number(values.seed));
  console.log(`seed ${values.seed}: ${JSON.stringify(result)}, no invariant broken`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
