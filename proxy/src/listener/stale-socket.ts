// The file of a Unix socket outlives a process that was killed, and nobody can bind to it while it is there.

import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { isAbstract } from '../io/unix-path.ts';

/** Removes the file if it is why binding failed, is a socket, and nobody listens there. Says whether it is gone; never during the call. */
export function removeIfStale(path: string, failure: NodeJS.ErrnoException, done: (isRemoved: boolean) => void): void {
  if (failure.code !== 'EADDRINUSE' || isAbstract(path)) {
    setImmediate(done, false);
    return;
  }
  const socket = connect({ path });
  socket.once('connect', () => {
    socket.destroy();
    done(false);
  });
  socket.once('error', (error: NodeJS.ErrnoException) => done(error.code === 'ECONNREFUSED' && remove(path)));
}

function remove(path: string): boolean {
  try {
    // One may not connect to another kind of file either.
    if (!lstatSync(path).isSocket()) return false;
    unlinkSync(path);
    return true;
  } catch {
    // Somebody else was quicker, or it is not ours to remove: binding tells.
    return false;
  }
}
