// Writes a PROXY protocol header.

import { type ProxyEnd, type ProxyHeader, type ProxyTlv, v2PrefixBytes, v2Signature } from './header.ts';
import { parseIpv4, parseIpv6 } from './ip-address.ts';

const VERSION_2_LOCAL = 0x20;
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/** What a connection says of itself when nobody is carried on it. */
export const unknownV1: Buffer = Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
export const localV2: Buffer = Buffer.concat([v2Signature, Buffer.from([VERSION_2_LOCAL, 0, 0, 0])]);

/** The bytes; without addresses, or with two that are not of one kind, the form that tells none. */
export function encodeHeader(header: ProxyHeader): Buffer {
  return header.version === 1 ? encodeV1(header) : encodeV2(header);
}

function encodeV1({ ends }: ProxyHeader): Buffer {
  const addresses = ends === null ? null : addressesOf(ends.source, ends.destination);
  if (ends === null || addresses === null) return unknownV1;
  const { source, destination } = ends;
  const family = addresses.isIpv6 ? 'TCP6' : 'TCP4';
  const line = `PROXY ${family} ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`;
  return Buffer.from(line, 'latin1');
}

function encodeV2({ ends, tlvs }: ProxyHeader): Buffer {
  const addresses = ends === null ? null : addressesOf(ends.source, ends.destination);
  if (ends === null || addresses === null) return localV2;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(ends.source.port, 0);
  ports.writeUInt16BE(ends.destination.port, 2);
  const rest = Buffer.concat([addresses.source, addresses.destination, ports, ...tlvs.map(encodeTlv)]);
  const prefix = Buffer.alloc(v2PrefixBytes);
  v2Signature.copy(prefix);
  prefix[12] = VERSION_2_PROXY;
  prefix[13] = addresses.isIpv6 ? TCP_OVER_IPV6 : TCP_OVER_IPV4;
  prefix.writeUInt16BE(rest.length, 14);
  return Buffer.concat([prefix, rest]);
}

/** How many bytes a TLV takes. */
export function tlvBytes({ value }: ProxyTlv): number {
  return 3 + value.length;
}

function encodeTlv({ type, value }: ProxyTlv): Buffer {
  const head = Buffer.alloc(3);
  head[0] = type;
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}

interface AddressPair {
  readonly isIpv6: boolean;
  readonly source: Buffer;
  readonly destination: Buffer;
}

function addressesOf(from: ProxyEnd, to: ProxyEnd): AddressPair | null {
  const isIpv6 = from.address.includes(':');
  const parse = isIpv6 ? parseIpv6 : parseIpv4;
  const source = parse(from.address);
  const destination = parse(to.address);
  return source === null || destination === null ? null : { isIpv6, source, destination };
}
