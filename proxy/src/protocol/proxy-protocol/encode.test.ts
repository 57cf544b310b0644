import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeHeader } from './decode.ts';
import { encodeHeader } from './encode.ts';
import type { ProxyHeader, ProxyVersion } from './header.ts';
import { v1Vectors, v2Vectors } from './testing/vectors.ts';

const ends = {
  source: { address: '192.0.2.1', port: 50_000 },
  destination: { address: '198.51.100.1', port: 443 },
};

describe('a header', () => {
  it('of version 1 is a line', () => {
    const text = encodeHeader({ version: 1, ends, tlvs: [] }).toString();
    assert.equal(text, 'PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n');
  });

  it('tells no ends where they are not of one family', () => {
    const mixed = { source: ends.source, destination: { address: '::1', port: 1 } };
    assert.equal(encodeHeader({ version: 1, ends: mixed, tlvs: [] }).toString(), 'PROXY UNKNOWN\r\n');
    assert.equal(encodeHeader({ version: 2, ends: mixed, tlvs: [] }).toString('hex').slice(24), '20000000');
  });

  it('tells no ends where an end is no address', () => {
    const pipe = { source: { address: '', port: 0 }, destination: { address: '', port: 0 } };
    assert.equal(encodeHeader({ version: 1, ends: pipe, tlvs: [] }).toString(), 'PROXY UNKNOWN\r\n');
  });

  for (const version of [1, 2] as const) {
    it(`of version ${version} reads as it was written`, () => {
      for (const { name, bytes } of version === 1 ? v1Vectors : v2Vectors) roundTrip(name, bytes, version);
    });
  }
});

function roundTrip(name: string, bytes: Buffer, version: ProxyVersion): void {
  const first = decodeHeader(bytes, version);
  if (first === 'more' || 'problem' in first || first.header.ends === null) return;
  const header: ProxyHeader = first.header;
  const again = decodeHeader(encodeHeader(header), version);
  assert.ok(again !== 'more' && !('problem' in again), name);
  assert.deepEqual(again.header, header, name);
}
