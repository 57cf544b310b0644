import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageCounter } from './message-counter.ts';

function message(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length, 1);
  bytes[0] = 0;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

test('counts messages however the body is cut', () => {
  const body = Buffer.concat([message(0), message(3), message(300), message(0)]);
  for (let size = 1; size <= body.length; size++) {
    const counter = new MessageCounter();
    let total = 0;
    for (let at = 0; at < body.length; at += size) {
      total += counter.count(body, at, Math.min(size, body.length - at));
    }
    assert.equal(total, 4, `pieces of ${size}`);
  }
});

test('counts nothing more once the bytes are no gRPC', () => {
  const counter = new MessageCounter();
  const bad = Buffer.concat([message(2), Buffer.from('not gRPC')]);
  assert.equal(counter.count(bad, 0, bad.length), 1);
  assert.equal(counter.count(message(1), 0, 6), 0);
});
