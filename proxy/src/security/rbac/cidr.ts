// Address ranges: compiled once, matched against the address texts that sockets give.

import type { envoy } from '@weft/api/xds/types';
import { ipBytes } from '@weft/lib/ip-address';
import { type IssueSink, reportError, sinkAt } from '../data-source.ts';

type CidrRange = envoy.config.core.v3.CidrRange;

/** 4 or 16 bytes. */
type Address = readonly number[];

let lastText = '';
let lastAddress: Address | null = null;

/** The bytes of an address, IPv4 inside IPv6 (`::ffff:1.2.3.4`) as IPv4; null for anything else. */
export function parseAddress(text: string): Address | null {
  // One request asks about the same address again and again.
  if (text === lastText) return lastAddress;
  lastText = text;
  lastAddress = parseFresh(text);
  return lastAddress;
}

function parseFresh(text: string): Address | null {
  const bytes = ipBytes(text);
  if (bytes === null || bytes.length === 4) return bytes;
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? bytes.slice(12) : bytes;
}

/** Whether an address text lies in the range. */
export type AddressPredicate = (address: string) => boolean;

/** Null after reporting what is wrong. An absent `prefix_len` is 0, the whole family, as in Envoy. */
export function compileCidr(range: CidrRange, sink: IssueSink): AddressPredicate | null {
  const wanted = parseAddress(range.addressPrefix ?? '');
  if (wanted === null) {
    const problem = `"${range.addressPrefix ?? ''}" is no IP address; write it in numbers`;
    return reportError(sinkAt(sink, 'address_prefix'), 'WEFT0730', problem);
  }
  const bits = range.prefixLen ?? 0;
  if (bits > wanted.length * 8) {
    const problem = `a prefix of ${bits} bits does not fit an address of ${wanted.length * 8}`;
    return reportError(sinkAt(sink, 'prefix_len'), 'WEFT0730', problem);
  }
  return (text) => {
    const address = parseAddress(text);
    return address !== null && address.length === wanted.length && sharesPrefix(address, wanted, bits);
  };
}

function sharesPrefix(a: Address, b: Address, bits: number): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = bits & 7;
  if (rest === 0) return true;
  const mask = (0xff00 >> rest) & 0xff;
  return ((a[whole] as number) & mask) === ((b[whole] as number) & mask);
}
