// Fuzzes the HTTP/2 codec: `node fuzz.ts --inputs 200000 --seed 1`. Whatever comes in, nothing throws, the outcome does not depend on how
// the bytes are cut, what is written are whole frames that another HTTP/2 machine takes without an error, and nothing is kept that has no bound.

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ByteWriter } from '@weft/lib/bytes';
import { headBytes } from './frame/frame.ts';
import { HpackDecoder, OK } from './hpack/decoder.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import { preface } from './peer-settings.ts';
import { parseFrames } from './testing/frame-list.ts';
import { Peer } from './testing/peer.ts';
import { Random } from './testing/random.ts';
import { readVectors, runVector, type Vector } from './testing/vector-file.ts';

/** What a run saw; a run that accepts nothing, or refuses nothing, tests nothing. */
export interface FuzzResult {
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly blocks: number;
}

const fragments = [
  '000000040000000000',
  '000000040100000000',
  '0000080600000000000000000000000000',
  '00000408000000000000000001',
  '0000040300000000010000000008',
  '000000000100000001',
  '00000501240000000180000000ff',
  '82868401',
  '3fe11f',
  'ffffffff',
].map((hex) => Buffer.from(hex, 'hex'));

/** Where frames begin, behind the preface. */
function boundaries(input: Buffer): number[] {
  const found: number[] = [];
  let at = input[0] === preface[0] ? preface.length : 0;
  for (; at + headBytes <= input.length; at += headBytes + input.readUIntBE(at, 3)) found.push(at);
  return [...found.slice(1), input.length];
}

// Half of the changes are made between frames: elsewhere most inputs would end at their first one.
function mutate(input: Buffer, corpus: readonly Buffer[], random: Random): Buffer {
  let bytes = input;
  for (let times = random.below(3); times >= 0; times--) {
    if (random.below(2) === 0) {
      const between = random.pick(boundaries(bytes));
      bytes = Buffer.concat([bytes.subarray(0, between), random.pick(fragments), bytes.subarray(between)]);
      continue;
    }
    const at = random.below(bytes.length + 1);
    const other = random.pick(corpus);
    const otherAt = random.below(other.length + 1);
    const inserted = random.pick([
      random.pick(fragments),
      random.bytes(1),
      random.bytes(random.below(12)),
      bytes.subarray(at, at + random.below(60)),
      other.subarray(otherAt, otherAt + random.below(120)),
    ]);
    const removed = random.below(2) === 0 ? 0 : random.below(12);
    bytes = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
  }
  return bytes;
}

// The machine reads on its own what it wrote: whole frames, and no error in them.
function checkWritten(vector: Vector, input: Buffer): void {
  const peer = new Peer(vector.role, { answers: vector.answers });
  peer.connection.start();
  const other = new Peer(vector.role === 'server' ? 'client' : 'server');
  // Streams enough that whatever is answered was asked.
  if (vector.role === 'server') {
    other.connection.peer.begin();
    for (let i = 0; i < 50; i++) other.open({ method: 'POST' }, false);
  } else for (const method of vector.opens) peer.open({ method }, method !== 'POST');
  peer.receive(input);
  const written = peer.written();
  for (const frame of parseFrames(written)) assert.ok(frame.payload.length <= 16_384 && frame.id < 2 ** 31);
  other.receive(written);
  const allowed = new Set([
    null,
    'idle_stream',
    'closed_stream',
    'reset_flood',
    'ping_flood',
    'settings_flood',
    'window_update_flood',
    'window_overflow',
  ]);
  const code = other.connection.error?.code ?? null;
  assert.ok(allowed.has(code), `what was written is refused: ${code}`);
  assert.ok(peer.connection.activeStreams <= 100, 'streams are bounded');
  assert.ok(written.length <= 20_000 + 20 * input.length, `${written.length} bytes were written for ${input.length}`);
}

// Whatever a block of random bytes decodes to comes back from our encoder, in step with the decoder's table.
function checkBlock(random: Random): boolean {
  const first = new HpackDecoder(4096, 10_000, 100);
  const second = new HpackDecoder(4096, 10_000, 100);
  const encoder = new HpackEncoder();
  let accepted = false;
  for (let round = 0; round < 3; round++) {
    const parts = Array.from({ length: random.below(8) }, () =>
      random.pick([
        random.pick(fragments),
        random.bytes(random.below(10)),
        Buffer.from('4001610131', 'hex'),
        Buffer.from('be82', 'hex'),
      ]),
    );
    const block = Buffer.concat(parts);
    if (first.decode(block, 0, block.length) !== OK) return accepted;
    accepted = true;
    const out = new ByteWriter(64);
    encoder.begin(out);
    first.names.forEach((name, i) => {
      encoder.field(out, name, first.values[i] ?? '');
    });
    const bytes = out.take();
    assert.equal(second.decode(bytes, 0, bytes.length), OK, `encoded ${bytes.toString('hex')}`);
    assert.deepEqual([second.names, second.values], [first.names, first.values]);
  }
  return accepted;
}

/** Runs that many inputs; throws at the first that breaks an invariant, naming seed, number and bytes. */
export function fuzz(inputs: number, seed: number): FuzzResult {
  const random = new Random(seed);
  const vectors = [...readVectors().values()].flat().filter(({ input }) => input.length < 2000);
  const valid = vectors.filter(({ expected }) => !expected.some((line) => line.startsWith('error')));
  const corpus = vectors.map(({ input }) => input);
  let accepted = 0;
  let blocks = 0;
  for (let number = 0; number < inputs; number++) {
    const vector = random.pick(random.below(4) === 0 ? vectors : valid);
    const input = mutate(vector.input, corpus, random);
    try {
      const whole = runVector({ ...vector, input }, []);
      const cuts = Array.from({ length: 1 + random.below(4) }, () => random.below(input.length + 1)).sort(
        (a, b) => a - b,
      );
      assert.deepEqual(runVector({ ...vector, input }, cuts), whole, `cut at ${cuts}`);
      checkWritten(vector, input);
      if (!whole.some((line) => line.startsWith('error'))) accepted++;
      if (checkBlock(random)) blocks++;
    } catch (cause) {
      throw new Error(`input ${number} of seed ${seed}: ${vector.role} ${input.toString('hex')}`, { cause });
    }
  }
  return { inputs, accepted, refused: inputs - accepted, blocks };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Date.now() % 1e9) },
    },
  });
  const started = performance.now();
  const result = fuzz(Number(values.inputs), Number(values.seed));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const megabytes = (process.memoryUsage().rss / 1e6).toFixed(0);
  console.log(`seed ${values.seed}: ${JSON.stringify(result)} in ${seconds} s, ${megabytes} MB, no invariant broken`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
