// Linux' socket addresses: family (2 bytes, the machine's order), port (2, network order), then
//   AF_INET:  address (4), padding (8)
//   AF_INET6: flow (4), address (16), scope (4)

import { endianness } from 'node:os';
import { canonicalIp, ipBytes } from '@weft/lib/ip-address';
import type { Endpoint } from '../connection-info.ts';
import type { Libc } from './libc.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** Room for either family. */
export const socketAddressBytes = 28;

const isLittleEndian = endianness() === 'LE';

/** A socket as Node wants them: not blocking, not passed to child processes. -1 when there is none to be had. */
export function newStreamSocket(libc: Libc, version: 4 | 6): number {
  return libc.socket(version === 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

export function encodeSocketAddress({ address, port }: Endpoint): Buffer {
  const ip = ipBytes(address) ?? [];
  const isSix = ip.length === 16;
  const bytes = Buffer.alloc(isSix ? socketAddressBytes : 16);
  const family = isSix ? AF_INET6 : AF_INET;
  if (isLittleEndian) bytes.writeUInt16LE(family, 0);
  else bytes.writeUInt16BE(family, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ip, isSix ? 8 : 4);
  return bytes;
}

/** Null for a family that is no IP. */
export function decodeSocketAddress(bytes: Buffer): Endpoint | null {
  const family = isLittleEndian ? bytes.readUInt16LE(0) : bytes.readUInt16BE(0);
  const port = bytes.readUInt16BE(2);
  if (family === AF_INET) return { address: bytes.subarray(4, 8).join('.'), port };
  if (family !== AF_INET6) return null;
  let text = '';
  for (let i = 8; i < 24; i += 2) text += `${i === 8 ? '' : ':'}${bytes.readUInt16BE(i).toString(16)}`;
  return { address: canonicalIp(text), port };
}
