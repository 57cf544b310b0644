import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter, latin1Text, ownText } from './bytes.ts';

test('a writer grows as needed and keeps what was written', () => {
  const out = new ByteWriter(4);
  out.latin1('ab');
  out.append(Buffer.from('xcdefx'), 1, 4);
  out.byte(0xff);
  out.latin1('é');
  assert.equal(out.length, 8);
  assert.ok(out.capacity >= 8);
  assert.equal(out.view().toString('latin1'), 'abcdef\xffé');
});

test('a writer that was reset keeps its memory', () => {
  const out = new ByteWriter(16);
  out.latin1('abc');
  out.reset();
  assert.equal(out.length, 0);
  assert.equal(out.capacity, 16);
  out.latin1('d');
  assert.equal(out.view().toString(), 'd');
});

test('taken bytes are not overwritten by what follows', () => {
  const out = new ByteWriter(16);
  out.latin1('abc');
  const taken = out.take();
  out.latin1('xyz');
  assert.equal(taken.toString(), 'abc');
  assert.equal(out.view().toString(), 'xyz');
});

test('text is cut byte by byte', () => {
  assert.equal(latin1Text(Buffer.from([0x61, 0xe9, 0x00, 0xff]), 1, 4), '\xe9\0\xff');
  assert.equal(ownText('a\xff'), 'a\xff');
});
