import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { decodeSocketAddress, encodeSocketAddress } from './socket-address.ts';

test('lays addresses out as the kernel does', {
  skip: endianness() === 'BE' ? 'bytes of little-endian machines' : false,
}, () => {
  assert.equal(
    encodeSocketAddress({ address: '192.0.2.1', port: 443 }).toString('hex'),
    '020001bbc00002010000000000000000',
  );
  assert.equal(
    encodeSocketAddress({ address: '2001:db8::1', port: 80 }).toString('hex'),
    '0a0000500000000020010db800000000000000000000000100000000',
  );
});

test('reads what it wrote, in the canonical form', () => {
  const back = (address: string) => decodeSocketAddress(encodeSocketAddress({ address, port: 65_535 }));
  assert.deepEqual(back('10.0.0.1'), { address: '10.0.0.1', port: 65_535 });
  assert.deepEqual(back('FD00:0::0:1'), { address: 'fd00::1', port: 65_535 });
  assert.deepEqual(back('::ffff:10.0.0.1'), { address: '10.0.0.1', port: 65_535 });
  assert.equal(decodeSocketAddress(Buffer.alloc(28)), null);
});
