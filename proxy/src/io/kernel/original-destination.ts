// Where a redirected connection was going: asked of the kernel once, when the connection is accepted.

import type { Socket } from 'node:net';
import type { Endpoint } from '../connection-info.ts';
import { checkDescriptors, descriptorOf } from './descriptor.ts';
import { type Libc, type LibcRefusal, loadLibc } from './libc.ts';
import { decodeSocketAddress, socketAddressBytes } from './socket-address.ts';

const SOL_IP = 0;
const SOL_IPV6 = 41;
const SO_ORIGINAL_DST = 80;

/** What a listener asks about each connection it accepts. */
export class DestinationReader {
  private readonly libc: Libc;
  private readonly bytes = Buffer.alloc(socketAddressBytes);
  private readonly length = new Uint32Array(1);

  constructor(libc: Libc) {
    this.libc = libc;
  }

  /** Null where the kernel knows of none, as for a connection that nobody redirected on a machine that does not track any. */
  read(socket: Socket, version: 4 | 6): Endpoint | null {
    const { bytes, length } = this;
    length[0] = bytes.length;
    const level = version === 6 ? SOL_IPV6 : SOL_IP;
    const isKnown = this.libc.getsockopt(descriptorOf(socket), level, SO_ORIGINAL_DST, bytes, length) === 0;
    return isKnown ? decodeSocketAddress(bytes) : null;
  }
}

let reader: DestinationReader | LibcRefusal | null = null;

/** The one reader of the process, or why there is none. */
export function destinationReader(): DestinationReader | LibcRefusal {
  reader ??= makeReader();
  return reader;
}

function makeReader(): DestinationReader | LibcRefusal {
  const libc = loadLibc();
  if ('reason' in libc) return libc;
  return checkDescriptors(libc) ?? new DestinationReader(libc);
}
