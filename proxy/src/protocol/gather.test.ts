import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gather } from './gather.ts';

const piece = Buffer.from('abc');

function row(gather: Gather, pieces: number): boolean[] {
  return Array.from({ length: pieces }, () => gather.take(piece, 0, piece.length));
}

test('leaves the first small pieces alone and puts further ones together', () => {
  const gather = new Gather();
  assert.deepEqual(row(gather, 6), [false, false, false, false, true, true]);
  assert.equal(gather.buffer.toString('latin1', 0, gather.length), 'abcabc');
});

test('leaves a large piece alone, behind which a row begins anew', () => {
  const gather = new Gather();
  row(gather, 5);
  assert.equal(gather.take(Buffer.alloc(512), 0, 512), false);
  assert.equal(gather.take(piece, 0, 3), false);
});

test('takes no more than it has room for', () => {
  const gather = new Gather();
  const taken = row(gather, 3000).filter(Boolean).length;
  assert.equal(gather.length, taken * 3);
  assert.ok(gather.length <= 8192);
  assert.equal(gather.room, 8192 - gather.length);
});

test('has no room for the pieces of a caller before a long row', () => {
  const gather = new Gather();
  row(gather, 4);
  assert.equal(gather.room, 0);
  gather.take(piece, 0, 3);
  assert.equal(gather.room, 8189);
});

test('keeps nothing once it is cleared', () => {
  const gather = new Gather();
  row(gather, 6);
  gather.clear();
  assert.equal(gather.length, 0);
  assert.equal(gather.buffer.length, 0);
  assert.equal(gather.take(piece, 0, 3), false);
});
