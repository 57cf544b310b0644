// Every header whole, at every split, and with what follows it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c } from './crc32c.ts';
import { decodeHeader, isMalformed, readSignature } from './decode.ts';
import type { ProxyVersion } from './header.ts';
import { formatIpv6, parseIpv4, parseIpv6 } from './ip-address.ts';
import { describeHeader } from './testing/describe.ts';
import { type Vector, v1Vectors, v2Vectors } from './testing/vectors.ts';

const both: readonly ProxyVersion[] = [1, 2];

function check({ bytes, expected }: Vector, version: ProxyVersion): void {
  const followed = Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n')]);
  for (const all of [bytes, followed]) {
    assert.equal(readSignature(all, both), version);
    const result = decodeHeader(all, version);
    assert.ok(result !== 'more');
    assert.equal(describeHeader(result), expected);
    if (!isMalformed(result)) assert.equal(result.length, bytes.length);
  }
  // A part of it is either not enough, or wrong already, for the same reason as the whole.
  for (let length = 0; length < bytes.length; length += length < 300 ? 1 : 997) {
    const part = bytes.subarray(0, length);
    const signature = readSignature(part, both);
    assert.ok(signature === 'more' || signature === version, `${length} bytes`);
    if (signature === 'more') continue;
    const result = decodeHeader(part, version);
    if (result !== 'more') assert.equal(describeHeader(result), expected, `${length} bytes`);
  }
}

describe('version 1', () => {
  for (const vector of v1Vectors) it(`reads ${vector.name}`, () => check(vector, 1));
});

describe('version 2', () => {
  for (const vector of v2Vectors) it(`reads ${vector.name}`, () => check(vector, 2));
});

describe('the signature', () => {
  const cases: readonly [bytes: string, versions: readonly ProxyVersion[], expected: string | number][] = [
    ['', both, 'more'],
    ['P', both, 'more'],
    ['\r\n\r', both, 'more'],
    ['PROXY', both, 'more'],
    ['PROXY ', both, 1],
    ['POST / HTTP/1.1', both, 'none'],
    ['PROXYING', both, 'none'],
    ['\r\n\r\n\0\r\nQUIT\n', both, 2],
    ['\r\n\r\nGET', both, 'none'],
    ['\x16\x03\x01', both, 'none'],
    ['PROXY TCP4', [2], 'none'],
    ['\r\n\r\n\0\r\nQUIT\n', [1], 'none'],
    ['anything', [], 'none'],
  ];
  for (const [bytes, versions, expected] of cases) {
    it(`of ${JSON.stringify(bytes)} among [${versions}] is ${expected}`, () => {
      assert.equal(readSignature(Buffer.from(bytes, 'latin1'), versions), expected);
    });
  }
});

it('the checksum is CRC-32C', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283);
});

describe('addresses', () => {
  const ipv6: readonly [text: string, canonical: string | null][] = [
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['1.2.3.4::', null],
    [':1', null],
    ['1:', null],
    [':::', null],
    ['1:2:3:4:5:6:7', null],
    ['1:2:3:4:5:6:7::8', null],
    ['12345::', null],
    ['', null],
  ];
  for (const [text, canonical] of ipv6) {
    it(`'${text}' is ${canonical ?? 'no IPv6 address'}`, () => {
      const bytes = parseIpv6(text);
      assert.equal(bytes === null ? null : formatIpv6(bytes), canonical);
    });
  }

  it('of version 4 have four parts', () => {
    for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.', '1.2.3.x', ' 1.2.3.4'])
      assert.equal(parseIpv4(text), null, text);
    assert.deepEqual(parseIpv4('1.20.255.0'), Buffer.from([1, 20, 255, 0]));
  });
});
