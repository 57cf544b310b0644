// Ports for the parts of a local mesh, on loopback. Chosen outside the range that the system uses for outgoing connections, so
// that a port stays free for its owner while that restarts.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { codeOf, WeftError } from '@weft/lib/error';

const first = 15_000;
const end = 32_000;

/** Whether a port can be listened on at `host` right now: null, or the system's error code. */
export function tryPort(port: number, host = '127.0.0.1'): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(codeOf(error) || 'EADDRINUSE'));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/** Hands out each free port once. */
export class PortPicker {
  private readonly taken = new Set<number>();
  private readonly range = usableRange();
  private next: number;

  constructor(random: () => number = Math.random) {
    this.next = Math.floor(random() * (this.range.end - this.range.first));
  }

  /** A free port that this picker has not given out and that nobody listens on. */
  async pick(): Promise<number> {
    const { first: low, end: high } = this.range;
    for (let tries = 0; tries < high - low; tries++) {
      const port = low + this.next;
      this.next = (this.next + 1) % (high - low);
      if (this.taken.has(port)) continue;
      // Reserved before the test, so that two callers at once never get the same.
      this.taken.add(port);
      if ((await tryPort(port)) === null) return port;
      this.taken.delete(port);
    }
    throw new WeftError('WEFT0803', `no free port between ${low} and ${high}; stop some programs that listen there`);
  }

  /** Takes a given port out of circulation. */
  reserve(port: number): void {
    this.taken.add(port);
  }

  /** Whether it was given out or reserved. */
  has(port: number): boolean {
    return this.taken.has(port);
  }

  /** A port that its owner needs no longer. */
  giveBack(port: number): void {
    this.taken.delete(port);
  }
}

/** A fixed port as it is, or WEFT0803 when it is in use; 0 takes any free one. */
export async function claimPort(port: number, flag: string, picker: PortPicker): Promise<number> {
  if (port === 0) return picker.pick();
  if (picker.has(port)) {
    throw new WeftError(
      'WEFT0803',
      `port ${port} is given twice; choose another with ${flag} N (0 takes any free one)`,
    );
  }
  const problem = await tryPort(port);
  if (problem === null) {
    picker.reserve(port);
    return port;
  }
  const why = problem === 'EACCES' ? 'needs more rights than you have' : 'is in use';
  throw new WeftError(
    'WEFT0803',
    `port ${port} ${why}; stop the program that uses it, or choose another with ${flag} N (${flag} 0 takes any free one)`,
  );
}

/** Below the ephemeral range where the system tells it, else a range that no common system uses for outgoing connections. */
function usableRange(): { first: number; end: number } {
  try {
    const [low] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').trim().split(/\s+/).map(Number);
    if (low !== undefined && low > first + 2000) return { first, end: Math.min(end, low) };
  } catch {
    // Not Linux.
  }
  return { first, end };
}
