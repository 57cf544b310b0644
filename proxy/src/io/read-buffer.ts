// The one buffer into which client sockets read: chunks are borrowed for the call, so all of them can share it.

/** What `net.connect` takes as `onread`: no allocation per read. */
export interface OnRead {
  readonly buffer: Buffer;
  readonly callback: (bytes: number, buffer: Uint8Array) => boolean;
}

const shared = Buffer.allocUnsafeSlow(64 * 1024);

/** `deliver` gets (shared buffer, 0, bytes) and must not keep it. */
export function sharedRead(deliver: (buffer: Buffer, offset: number, length: number) => void): OnRead {
  return {
    buffer: shared,
    callback: (bytes) => {
      deliver(shared, 0, bytes);
      return true;
    },
  };
}
