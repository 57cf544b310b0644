// Ports to write into a configuration before anybody listens there. The system hands out ports from 32768 on, to everyone who asks for
// any and to every client: one that was free a moment ago may be gone by the time it is needed. So these come from below that.

import { createServer } from 'node:net';

const lowest = 16_384;
const highest = 32_767;

/** Ports of the loopback that nobody listens on, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
