// Preloaded into Weft's own child processes: ends them when the supervisor is gone, even by kill -9. The descriptor in
// WEFT_TETHER is a pipe from the supervisor that closes with it.
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const graceMs = 3000;

if (isMainThread && process.env.WEFT_TETHER !== undefined) {
  const pipe = new Socket({ fd: Number(process.env.WEFT_TETHER), readable: true, writable: false });
  delete process.env.WEFT_TETHER;
  pipe.unref();
  pipe.on('error', () => {});
  pipe.resume();
  pipe.once('close', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), graceMs).unref();
  });
}
