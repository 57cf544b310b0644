// Headers by their bytes, with what they say: the cases of the tests and where the fuzzer begins.

import { crc32c } from '../crc32c.ts';

export interface Vector {
  readonly name: string;
  readonly bytes: Buffer;
  /** `source > destination`, `no ends`, or what is wrong. */
  readonly expected: string;
}

const signature = '0d0a0d0a000d0a515549540a';
const ipv4 = 'c0000201' + 'c6336401' + 'c350' + '01bb';
const ipv6 = '20010db8000000000000000000000001' + '20010db8000000000000000000000002' + 'c350' + '01bb';

function text(line: string): Buffer {
  return Buffer.from(line, 'latin1');
}

/** A block of version 2: command, family and transport, and the rest, whose length goes before it. */
export function block(command: number, family: number, rest: string): Buffer {
  const tail = Buffer.from(rest, 'hex');
  const head = Buffer.alloc(4);
  head[0] = command;
  head[1] = family;
  head.writeUInt16BE(tail.length, 2);
  return Buffer.concat([Buffer.from(signature, 'hex'), head, tail]);
}

function withChecksum(isRight: boolean): Buffer {
  const bytes = block(0x21, 0x11, `${ipv4}03000400000000ee000161`);
  const at = 16 + 12 + 3;
  bytes.writeUInt32BE(crc32c(bytes, at) + (isRight ? 0 : 1), at);
  return bytes;
}

const v4Ends = '192.0.2.1:50000 > 198.51.100.1:443';
const v6Ends = '2001:db8::1:50000 > 2001:db8::2:443';

export const v1Vectors: readonly Vector[] = [
  { name: 'TCP4', bytes: text('PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n'), expected: v4Ends },
  { name: 'TCP6', bytes: text('PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 50000 443\r\n'), expected: v6Ends },
  {
    name: 'the lowest and highest ports',
    bytes: text('PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n'),
    expected: '0.0.0.0:0 > 255.255.255.255:65535',
  },
  { name: 'UNKNOWN', bytes: text('PROXY UNKNOWN\r\n'), expected: 'no ends' },
  { name: 'UNKNOWN with whatever follows', bytes: text('PROXY UNKNOWN ffff::1 what ever\r\n'), expected: 'no ends' },
  { name: 'the longest line', bytes: text(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`), expected: 'no ends' },
  {
    name: 'a line of 108 bytes',
    bytes: text(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`),
    expected: 'the line does not end within 107 bytes',
  },
  {
    name: 'another family',
    bytes: text('PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n'),
    expected: 'the family is none of TCP4, TCP6 and UNKNOWN',
  },
  {
    name: 'a line feed alone',
    bytes: text('PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n'),
    expected: 'the line does not end in CR LF',
  },
  {
    name: 'an octet too large',
    bytes: text('PROXY TCP4 1.1.1.256 1.1.1.1 1 1\r\n'),
    expected: 'an address is not one of TCP4',
  },
  {
    name: 'an octet with a leading zero',
    bytes: text('PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n'),
    expected: 'an address is not one of TCP4',
  },
  {
    name: 'an address of the other family',
    bytes: text('PROXY TCP4 ::1 ::1 1 1\r\n'),
    expected: 'an address is not one of TCP4',
  },
  {
    name: 'an IPv6 address with a zone',
    bytes: text('PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n'),
    expected: 'an address is not one of TCP6',
  },
  {
    name: 'an IPv6 address with too many groups',
    bytes: text('PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 1\r\n'),
    expected: 'an address is not one of TCP6',
  },
  {
    name: 'an IPv6 address shortened twice',
    bytes: text('PROXY TCP6 1::2::3 ::1 1 1\r\n'),
    expected: 'an address is not one of TCP6',
  },
  {
    name: 'a port too large',
    bytes: text('PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n'),
    expected: 'a port is not a number below 65536',
  },
  {
    name: 'a port that is missing',
    bytes: text('PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n'),
    expected: 'a port is not a number below 65536',
  },
  { name: 'two spaces', bytes: text('PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n'), expected: 'something follows the ports' },
  {
    name: 'a word too many',
    bytes: text('PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n'),
    expected: 'something follows the ports',
  },
];

export const v2Vectors: readonly Vector[] = [
  { name: 'IPv4', bytes: block(0x21, 0x11, ipv4), expected: v4Ends },
  { name: 'IPv6', bytes: block(0x21, 0x21, ipv6), expected: v6Ends },
  {
    name: 'IPv4 with TLVs',
    bytes: block(0x21, 0x11, `${ipv4}ea0004deadbeef0400030000000100026832`),
    expected: `${v4Ends} ea=deadbeef 01=6832`,
  },
  { name: 'IPv6 with an empty TLV', bytes: block(0x21, 0x21, `${ipv6}ee0000`), expected: `${v6Ends} ee=` },
  { name: 'a right checksum', bytes: withChecksum(true), expected: `${v4Ends} ee=61` },
  { name: 'a Unix socket', bytes: block(0x21, 0x31, '2f'.padEnd(216 * 2, '0')), expected: 'no ends' },
  { name: 'an unspecified family', bytes: block(0x21, 0x00, ''), expected: 'no ends' },
  { name: 'an unspecified family with bytes to skip', bytes: block(0x21, 0x00, 'ffffff'), expected: 'no ends' },
  { name: 'LOCAL', bytes: block(0x20, 0x00, ''), expected: 'no ends' },
  { name: 'LOCAL with addresses to ignore', bytes: block(0x20, 0x11, ipv4), expected: 'no ends' },
  {
    name: 'the longest block',
    bytes: block(0x21, 0x11, `${ipv4}ea${(65_535 - 15).toString(16)}${'00'.repeat(65_535 - 15)}`),
    expected: `${v4Ends} ea=${'00'.repeat(65_535 - 15)}`,
  },
  { name: 'a wrong checksum', bytes: withChecksum(false), expected: 'the checksum is wrong' },
  {
    name: 'a checksum of three bytes',
    bytes: block(0x21, 0x11, `${ipv4}030003000000`),
    expected: 'the checksum is wrong',
  },
  { name: 'version 1 in binary', bytes: block(0x11, 0x11, ipv4), expected: 'the version is not 2' },
  { name: 'an unknown command', bytes: block(0x22, 0x11, ipv4), expected: 'the command is neither LOCAL nor PROXY' },
  { name: 'an unknown family', bytes: block(0x21, 0x41, ipv4), expected: 'the family or transport is unknown' },
  { name: 'datagrams', bytes: block(0x21, 0x12, ipv4), expected: v4Ends },
  { name: 'a family without a transport', bytes: block(0x21, 0x10, ipv4), expected: 'the transport is missing' },
  { name: 'addresses cut off', bytes: block(0x21, 0x21, ipv4), expected: 'it is too short for its addresses' },
  { name: 'a TLV head cut off', bytes: block(0x21, 0x11, `${ipv4}ea00`), expected: 'a TLV is cut off' },
  {
    name: 'a TLV beyond the end',
    bytes: block(0x21, 0x11, `${ipv4}ea000400`),
    expected: 'a TLV is longer than the header',
  },
];
