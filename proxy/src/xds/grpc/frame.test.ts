import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FrameProblem, FrameReader, frameMessage } from './frame.ts';

const messages = [Buffer.from('first'), Buffer.alloc(0), Buffer.from('x'.repeat(300)), Buffer.from('last')];
const wire = Buffer.concat(messages.map(frameMessage));

function read(
  chunks: readonly Buffer[],
  limit = 1000,
): { found: string[]; problem: FrameProblem | null; isPartial: boolean } {
  const reader = new FrameReader(limit);
  const found: string[] = [];
  let problem: FrameProblem | null = null;
  for (const chunk of chunks) problem ??= reader.push(chunk, (message) => found.push(message.toString()));
  return { found, problem, isPartial: reader.isPartial };
}

test('puts messages together whatever the size of the chunks', () => {
  const expected = messages.map(String);
  for (let size = 1; size <= wire.length; size++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < wire.length; at += size) chunks.push(wire.subarray(at, at + size));
    assert.deepEqual(read(chunks), { found: expected, problem: null, isPartial: false });
  }
});

test('splits at every byte', () => {
  for (let at = 0; at <= wire.length; at++) {
    assert.deepEqual(read([wire.subarray(0, at), wire.subarray(at)]).found, messages.map(String));
  }
});

test('knows when a message has begun and not ended', () => {
  assert.equal(read([wire.subarray(0, 3)]).isPartial, true);
  assert.equal(read([wire.subarray(0, 7)]).isPartial, true);
  assert.equal(read([frameMessage(Buffer.from('all'))]).isPartial, false);
});

test('refuses a length beyond the limit before its bytes come', () => {
  assert.deepEqual(read([frameMessage(Buffer.alloc(11)).subarray(0, 5)], 10), {
    found: [],
    problem: 'too-large',
    isPartial: true,
  });
  assert.equal(read([frameMessage(Buffer.alloc(10))], 10).problem, null);
});

test('refuses compressed messages', () => {
  assert.equal(read([Buffer.from([1, 0, 0, 0, 0])]).problem, 'compressed');
});
