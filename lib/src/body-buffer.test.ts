import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBuffer } from './body-buffer.ts';

function left(body: BodyBuffer): string {
  return body.buffer.toString('latin1', body.start, body.start + body.length);
}

test('gives back what was appended and not taken', () => {
  const body = new BodyBuffer();
  body.append(Buffer.from('xabcx'), 1, 3);
  body.append(Buffer.from('defg'), 0, 4);
  body.take(2);
  assert.equal(left(body), 'cdefg');
  body.append(Buffer.from('h'), 0, 1);
  assert.equal(left(body), 'cdefgh');
});

test('does not grow while what is left fits', () => {
  const body = new BodyBuffer();
  const chunk = Buffer.alloc(1000, 'a');
  for (let i = 0; i < 1000; i++) {
    body.append(chunk, 0, 1000);
    body.take(i === 0 ? 500 : 1000);
  }
  assert.equal(body.length, 500);
  assert.ok(body.buffer.length <= 16 * 1024, `${body.buffer.length} bytes for 500`);
});

test('uses the memory again that an emptied one gave back', () => {
  const first = new BodyBuffer();
  first.append(Buffer.alloc(40_000, 'a'), 0, 40_000);
  const memory = first.buffer;
  first.take(40_000);
  assert.equal(first.length, 0);
  const second = new BodyBuffer();
  second.append(Buffer.alloc(50_000, 'b'), 0, 50_000);
  assert.equal(second.buffer, memory);
  first.append(Buffer.from('c'), 0, 1);
  assert.notEqual(first.buffer, memory);
  assert.equal(left(first), 'c');
});
