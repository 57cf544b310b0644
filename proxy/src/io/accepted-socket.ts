// Lets an accepted connection read into the shared buffer as client sockets do. Node offers that for sockets one connects only; an
// accepted one gets 64 KiB of new memory per read, and what the collector has not yet freed of that stays resident.

import { Socket, type SocketConstructorOpts } from 'node:net';
import type { Connection } from './connection.ts';
import { sharedRead } from './read-buffer.ts';

/** What Node's own sockets hold of the kernel's; `handle` is how Node itself makes an accepted socket. */
interface HandleOwner {
  _handle: object | null;
  _server?: unknown;
}

/** Where the bytes of such a socket go. Nothing is read before there is a receiver: it is set in the turn of the accept. */
class Receiver {
  connection: Connection | null = null;
}

const receivers: WeakMap<Socket, Receiver> = new WeakMap();

/** The same connection as another socket; the given one is an empty shell afterwards. Call it in the turn of the accept. */
export function readShared(accepted: Socket): Socket {
  const shell = accepted as unknown as HandleOwner;
  const handle = shell._handle;
  if (handle === null || handle === undefined || accepted.readableLength > 0) return accepted;
  const receiver = new Receiver();
  const onread = sharedRead((buffer, offset, length) => receiver.connection?.deliver(buffer, offset, length));
  const options = { handle, onread, allowHalfOpen: true };
  shell._handle = null;
  const socket = new Socket(options as unknown as SocketConstructorOpts);
  // The server counts its connections by this.
  (socket as unknown as HandleOwner)._server = shell._server;
  shell._server = null;
  receivers.set(socket, receiver);
  return socket;
}

/** Directs the bytes to the connection; false for a socket that delivers them as `data` events. */
export function receiveShared(socket: Socket, connection: Connection): boolean {
  const receiver = receivers.get(socket);
  if (receiver === undefined) return false;
  receiver.connection = connection;
  return true;
}
