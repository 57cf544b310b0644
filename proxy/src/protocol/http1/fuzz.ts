// Fuzzes the HTTP/1.1 decoders: `node fuzz.ts --inputs 1000000 --seed 1`. Inputs are mutated vectors. Whatever comes in, a decoder
// does not throw, does not consume more than it was given, tells the same however the bytes are cut and whatever came before on the
// connection (the decoders remember lines), and what it accepts reads the same after it was encoded again.

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ResponseHead, ResponseHeads } from './decode.ts';
import { escapeText, type Recording, type RecordOptions, record } from './testing/event-recorder.ts';
import { encodeMessage, forwardedLines } from './testing/round-trip.ts';
import { readVectors, type Vector } from './testing/vector-file.ts';

/** What a run saw; a run that accepts nothing, or refuses nothing, tests nothing. */
export interface FuzzResult {
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly reencoded: number;
}

/** Whole numbers below a bound from a seed (mulberry32). */
function makeRandom(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

type Random = ReturnType<typeof makeRandom>;

const fragments = [
  '\r\n',
  '\r',
  '\n',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ';a="b"',
  '0\r\n\r\n',
  'ffffffffffffffff',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close, x\r\n',
  'X: y\r\n',
  'TE: trailers, gzip\r\n',
  'Host: b\r\n',
  'HTTP/1.0',
  'CONNECT a:1 HTTP/1.1\r\n',
  '\x80\xff',
].map((text) => Buffer.from(text, 'latin1'));

function mutate(input: Buffer, corpus: readonly Buffer[], random: Random): Buffer {
  let bytes = input;
  for (let times = random(3); times >= 0; times--) {
    const at = random(bytes.length + 1);
    const end = Math.min(bytes.length, at + random(8));
    const other = corpus[random(corpus.length)] as Buffer;
    const otherAt = random(other.length + 1);
    const inserted = [
      fragments[random(fragments.length)] as Buffer,
      Buffer.from([random(256)]),
      bytes.subarray(at, at + random(40)),
      other.subarray(otherAt, otherAt + random(80)),
      Buffer.alloc(0),
    ][random(5)] as Buffer;
    const keepsBytes = random(2) === 0;
    bytes = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(keepsBytes ? at : end)]);
  }
  return bytes;
}

function randomCuts(length: number, random: Random): number[] {
  if (random(8) === 0) return Array.from({ length: Math.min(length, 300) }, (_, i) => i);
  return Array.from({ length: 1 + random(4) }, () => random(length + 1)).sort((a, b) => a - b);
}

// What the decoder remembers of a similar message before must make no difference.
function checkAfter(first: Vector, input: Buffer, whole: Recording, options: RecordOptions): void {
  if (first.events.at(-1) !== 'end' || first.events.filter((line) => line === 'end').length !== 1) return;
  const responseTo = options.responseTo === null ? null : [...options.responseTo, ...options.responseTo];
  const alone = record(first.input, [], { ...options, responseTo: options.responseTo, eof: false });
  if (alone.lines.at(-1) !== 'end') return;
  const both = record(Buffer.concat([first.input, input]), [], { ...options, responseTo });
  assert.deepEqual(both.lines, [...alone.lines, ...whole.lines], 'behind the message it was made from');
}

// Nor what other connections to the same endpoint have seen: the message that this one was made from, and this one itself.
function checkBeside(first: Vector, input: Buffer, whole: Recording, options: RecordOptions): void {
  if (options.responseTo === null) return;
  const beside = { ...options, heads: new ResponseHeads() };
  record(first.input, [], beside);
  for (const time of ['first', 'second']) {
    assert.deepEqual(record(input, [], beside).lines, whole.lines, `beside another connection, the ${time} time`);
  }
}

// Each complete message is sent on and read again.
function checkRoundTrip(recording: Recording, options: RecordOptions): number {
  const heads = options.responseTo === null ? recording.requests : recording.responses;
  let count = 0;
  for (let i = 0; i < recording.bodies.length; i++) {
    const head = heads[i];
    const body = recording.bodies[i];
    const trailers = recording.trailers[i] ?? null;
    if (head === undefined || body === undefined) continue;
    const wasSent = encodeMessage({ head, body, trailers });
    const responseTo = head instanceof ResponseHead ? [options.responseTo?.[i] ?? 'GET'] : null;
    // Rewriting Host, or the end of TE, may add some bytes and one line.
    const { maxHeaderBytes, maxHeaderCount } = options.limits;
    const limits = { maxHeaderBytes: maxHeaderBytes + 128, maxHeaderCount: maxHeaderCount + 3, allowHttp10: false };
    const again = record(wasSent, [], { limits, responseTo, eof: true, headers: false });
    const headAgain = head instanceof ResponseHead ? again.responses[0] : again.requests[0];
    const text = escapeText(wasSent.toString('latin1'));
    assert.ok(
      headAgain !== undefined && again.bodies.length === 1,
      `not read again: ${text}: ${again.lines.join(' | ')}`,
    );
    if ('method' in head && 'method' in headAgain) {
      const pathAgain = head.form === 'authority' ? headAgain.authority : headAgain.path;
      const expected = [head.method, head.form === 'authority' ? head.authority : head.path, head.authority || 'none'];
      assert.deepEqual([headAgain.method, pathAgain, headAgain.authority], expected, text);
    }
    if ('status' in head && 'status' in headAgain) assert.equal(headAgain.status, head.status, text);
    assert.deepEqual(forwardedLines(headAgain), forwardedLines(head), text);
    assert.ok(again.bodies[0]?.equals(body), text);
    assert.deepEqual(again.trailers[0]?.values ?? null, trailers?.values ?? null, text);
    count++;
  }
  return count;
}

/** Runs that many inputs; throws at the first that breaks an invariant, naming seed, number and bytes. */
export function fuzz(inputs: number, seed: number): FuzzResult {
  const random = makeRandom(seed);
  const vectors = [...readVectors().values()].flat().filter(({ input }) => input.length < 2000);
  const valid = vectors.filter(({ events }) => !events.some((line) => line.startsWith('error')));
  const corpus = vectors.map(({ input }) => input);
  let accepted = 0;
  let reencoded = 0;
  for (let number = 0; number < inputs; number++) {
    // Most begin as something that is accepted: the others seldom get past their first mistake.
    const from = random(4) === 0 ? vectors : valid;
    const vector = from[random(from.length)] as Vector;
    const input = mutate(vector.input, corpus, random);
    const options = { ...vector.options, headers: true, eof: random(2) === 0 };
    try {
      const whole = record(input, [], options);
      const cuts = randomCuts(input.length, random);
      assert.deepEqual(record(input, cuts, options).lines, whole.lines, `cut at ${cuts}`);
      checkAfter(vector, input, whole, options);
      checkBeside(vector, input, whole, options);
      if (whole.bodies.length > 0) accepted++;
      reencoded += checkRoundTrip(whole, options);
    } catch (cause) {
      throw new Error(`input ${number} of seed ${seed}: ${escapeText(input.toString('latin1'))}`, { cause });
    }
  }
  return { inputs, accepted, refused: inputs - accepted, reencoded };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '100000' },
      seed: { type: 'string', default: String(Date.now() % 1e9) },
    },
  });
  const started = performance.now();
  const result = fuzz(Number(values.inputs), Number(values.seed));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`seed ${values.seed}: ${JSON.stringify(result)} in ${seconds} s, no invariant broken`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
