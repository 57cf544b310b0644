// Version 2: a binary block.
//
//   signature (12) | version and command (1) | family and transport (1) | length of the rest (2) | addresses | TLVs

import { crc32c } from './crc32c.ts';
import {
  type DecodedHeader,
  type MalformedHeader,
  noTlvs,
  type ProxyHeader,
  type ProxyTlv,
  TLV_CRC32C,
  TLV_NOOP,
  v2PrefixBytes,
} from './header.ts';
import { formatIpv4, formatIpv6 } from './ip-address.ts';

const COMMAND_LOCAL = 0;
const COMMAND_PROXY = 1;
const FAMILY_UNSPEC = 0;
const FAMILY_INET = 1;
const FAMILY_INET6 = 2;
const FAMILY_UNIX = 3;
const TRANSPORT_DATAGRAM = 2;

/** Bytes of both addresses, and ports, by family. */
const addressBytes: readonly number[] = [0, 12, 36, 216];

export function decodeV2(bytes: Buffer): DecodedHeader | MalformedHeader | 'more' {
  if (bytes.length < v2PrefixBytes) return 'more';
  // What cannot become a header is refused before its length is waited for.
  const problem = judgePrefix(bytes);
  if (problem !== null) return { version: 2, problem };
  const length = v2PrefixBytes + bytes.readUInt16BE(14);
  if (bytes.length < length) return 'more';
  const header = readBlock(bytes.subarray(0, length));
  return typeof header === 'string' ? { version: 2, problem: header } : { header, length };
}

function judgePrefix(bytes: Buffer): string | null {
  const [versionAndCommand, familyAndTransport] = [bytes[12] as number, bytes[13] as number];
  if (versionAndCommand >>> 4 !== 2) return 'the version is not 2';
  const command = versionAndCommand & 15;
  if (command !== COMMAND_LOCAL && command !== COMMAND_PROXY) return 'the command is neither LOCAL nor PROXY';
  // The sender speaks for itself: its addresses are to be ignored, whatever they are.
  if (command === COMMAND_LOCAL) return null;
  const family = familyAndTransport >>> 4;
  const transport = familyAndTransport & 15;
  if (family > FAMILY_UNIX || transport > TRANSPORT_DATAGRAM) return 'the family or transport is unknown';
  if (family !== FAMILY_UNSPEC && transport === 0) return 'the transport is missing';
  if (bytes.readUInt16BE(14) < (addressBytes[family] as number)) return 'it is too short for its addresses';
  return null;
}

function readBlock(block: Buffer): ProxyHeader | string {
  const isLocal = ((block[12] as number) & 15) === COMMAND_LOCAL;
  const family = (block[13] as number) >>> 4;
  // Where no length of addresses can be told, nothing behind them can be found either.
  if (isLocal || family === FAMILY_UNSPEC) return { version: 2, ends: null, tlvs: noTlvs };
  const start = v2PrefixBytes + (addressBytes[family] as number);
  const tlvs = readTlvs(block, start);
  if (typeof tlvs === 'string') return tlvs;
  return { version: 2, ends: readEnds(block, family), tlvs };
}

function readEnds(block: Buffer, family: number): ProxyHeader['ends'] {
  if (family !== FAMILY_INET && family !== FAMILY_INET6) return null;
  const size = family === FAMILY_INET ? 4 : 16;
  const format = family === FAMILY_INET ? formatIpv4 : formatIpv6;
  const [source, destination, ports] = [v2PrefixBytes, v2PrefixBytes + size, v2PrefixBytes + 2 * size];
  return {
    source: { address: format(block.subarray(source, destination)), port: block.readUInt16BE(ports) },
    destination: { address: format(block.subarray(destination, ports)), port: block.readUInt16BE(ports + 2) },
  };
}

function readTlvs(block: Buffer, start: number): readonly ProxyTlv[] | string {
  if (start === block.length) return noTlvs;
  const tlvs: ProxyTlv[] = [];
  let at = start;
  while (at < block.length) {
    if (at + 3 > block.length) return 'a TLV is cut off';
    const type = block[at] as number;
    const length = block.readUInt16BE(at + 1);
    const valueAt = at + 3;
    at = valueAt + length;
    if (at > block.length) return 'a TLV is longer than the header';
    if (type === TLV_NOOP) continue;
    if (type !== TLV_CRC32C) tlvs.push({ type, value: Buffer.from(block.subarray(valueAt, at)) });
    else if (length !== 4 || block.readUInt32BE(valueAt) !== crc32c(block, valueAt)) return 'the checksum is wrong';
  }
  return tlvs;
}
