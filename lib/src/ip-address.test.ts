import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalIp, ipBytes } from './ip-address.ts';

test('reads addresses of both families', () => {
  assert.deepEqual(ipBytes('10.0.0.255'), [10, 0, 0, 255]);
  assert.deepEqual(ipBytes('::1'), [...new Array<number>(15).fill(0), 1]);
  assert.deepEqual(ipBytes('fe80::1%eth0')?.slice(0, 2), [0xfe, 0x80]);
  assert.deepEqual(ipBytes('1:2:3:4:5:6:7:8'), [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
  assert.deepEqual(ipBytes('::ffff:10.1.2.3')?.slice(10), [255, 255, 10, 1, 2, 3]);
  for (const text of ['', 'host', '1.2.3', '1::2::3']) assert.equal(ipBytes(text), null);
});

test('writes an address in one way only', () => {
  assert.equal(canonicalIp('FD00:0:0::1'), 'fd00::1');
  assert.equal(canonicalIp('::ffff:10.1.2.3'), '10.1.2.3');
  assert.equal(canonicalIp('10.1.2.3'), '10.1.2.3');
  assert.equal(canonicalIp('reviews'), 'reviews');
});
