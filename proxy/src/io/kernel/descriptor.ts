// The file descriptor behind a socket or a server. Node has no public way to it: this file alone reads the private `_handle`,
// and a check when the first listener needs it says so where a Node has it no longer.

import { type Server, Socket } from 'node:net';
import type { Libc, LibcRefusal } from './libc.ts';
import { newStreamSocket } from './socket-address.ts';

/** -1 where there is none: closed, or not offered by this Node. */
export function descriptorOf(holder: Socket | Server): number {
  const { _handle } = holder as { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof _handle?.fd === 'number' ? _handle.fd : -1;
}

/** Null when descriptors can be read, else why not: a socket made from a descriptor must give that one back. */
export function checkDescriptors(libc: Libc): LibcRefusal | null {
  const fd = newStreamSocket(libc, 4);
  if (fd < 0) return { code: 'WEFT0852', reason: `no socket could be made to try it (${libc.errno()})` };
  const socket = new Socket({ fd });
  const found = descriptorOf(socket);
  socket.destroy();
  if (found === fd) return null;
  const reason =
    `Node ${process.version} does not tell the descriptor of a socket, by which the kernel is asked where a redirected ` +
    'connection was going; run the proxy with the Node that this release pins';
  return { code: 'WEFT0852', reason };
}
