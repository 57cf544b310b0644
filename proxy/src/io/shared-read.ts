// Sockets read into one buffer of the process: chunks are borrowed for the call, so all of them can share it. Sockets that are made
// here are told so by `onread`; one that Node accepted, or that TLS wrapped, is switched over where Node lets it be (decision 0010).

import { Socket } from 'node:net';

/** What `net.connect` takes as `onread`: no allocation per read. */
export interface OnRead {
  readonly buffer: Buffer;
  readonly callback: (bytes: number, buffer: Uint8Array) => boolean;
}

/** `buffer` is the shared one: whoever keeps bytes of it copies them. */
export type Deliver = (buffer: Buffer, offset: number, length: number) => void;

const shared = Buffer.allocUnsafeSlow(64 * 1024);

/** For a socket that is about to be made. */
export function sharedRead(deliver: Deliver): OnRead {
  return {
    buffer: shared,
    callback: (bytes) => {
      deliver(shared, 0, bytes);
      return true;
    },
  };
}

/** The handle below a socket, of which only this one method is used. */
interface ReadHandle {
  useUserBuffer?: (buffer: Buffer) => void;
}

/** Where Node keeps what `onread` said; there is no public way to say it to a socket that exists already. */
interface ReadSlots {
  readonly buffer: symbol;
  readonly callback: symbol;
}

function findSlots(): ReadSlots | null {
  const symbols = Object.getOwnPropertySymbols(new Socket());
  const buffer = symbols.find((symbol) => symbol.description === 'kBuffer');
  const callback = symbols.find((symbol) => symbol.description === 'kBufferCb');
  return buffer === undefined || callback === undefined ? null : { buffer, callback };
}

const slots = findSlots();

/**
 * Makes a connected socket deliver into the shared buffer from its next read on, in place of `data` events. False where this Node
 * does not have what that takes, or where bytes wait in the stream already: then `data` events it is.
 */
export function switchToSharedRead(socket: Socket, deliver: Deliver): boolean {
  if (slots === null || socket.readableLength > 0) return false;
  const handle: ReadHandle | null | undefined = Reflect.get(socket, '_handle');
  if (typeof handle?.useUserBuffer !== 'function') return false;
  const { buffer, callback } = sharedRead(deliver);
  Reflect.set(socket, slots.buffer, buffer);
  Reflect.set(socket, slots.callback, callback);
  handle.useUserBuffer(buffer);
  return true;
}
