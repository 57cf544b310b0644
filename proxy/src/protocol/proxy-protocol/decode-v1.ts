// Version 1: one line of text, `PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n`.

import { latin1Text } from '@weft/lib/bytes';
import { type DecodedHeader, type MalformedHeader, maxV1Bytes, noTlvs, type ProxyHeader } from './header.ts';
import { formatIpv6, parseIpv4, parseIpv6 } from './ip-address.ts';

const decimalPort = /^(?:0|[1-9][0-9]{0,4})$/;
const CR = 13;
const LF = 10;

export function decodeV1(bytes: Buffer): DecodedHeader | MalformedHeader | 'more' {
  const seen = Math.min(bytes.length, maxV1Bytes);
  const end = bytes.subarray(0, seen).indexOf(LF);
  if (end < 0) return seen < maxV1Bytes ? 'more' : malformed('the line does not end within 107 bytes');
  if (bytes[end - 1] !== CR) return malformed('the line does not end in CR LF');
  const header = readLine(latin1Text(bytes, 0, end - 1));
  return typeof header === 'string' ? malformed(header) : { header, length: end + 1 };
}

function malformed(problem: string): MalformedHeader {
  return { version: 1, problem };
}

function readLine(line: string): ProxyHeader | string {
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...rest] = line.split(' ');
  // Whatever follows is for people to read.
  if (family === 'UNKNOWN') return { version: 1, ends: null, tlvs: noTlvs };
  if (family !== 'TCP4' && family !== 'TCP6') return 'the family is none of TCP4, TCP6 and UNKNOWN';
  if (rest.length > 0) return 'something follows the ports';
  const canonical = family === 'TCP4' ? canonicalIpv4 : canonicalIpv6;
  const from = canonical(source);
  const to = canonical(destination);
  if (from === null || to === null) return `an address is not one of ${family}`;
  const fromPort = readPort(sourcePort);
  const toPort = readPort(destinationPort);
  if (fromPort < 0 || toPort < 0) return 'a port is not a number below 65536';
  const ends = { source: { address: from, port: fromPort }, destination: { address: to, port: toPort } };
  return { version: 1, ends, tlvs: noTlvs };
}

function canonicalIpv4(text: string): string | null {
  return parseIpv4(text) === null ? null : text;
}

function canonicalIpv6(text: string): string | null {
  const bytes = parseIpv6(text);
  return bytes === null ? null : formatIpv6(bytes);
}

function readPort(text: string): number {
  const port = Number(text);
  return decimalPort.test(text) && port <= 65_535 ? port : -1;
}
