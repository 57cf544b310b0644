// A program for both ends of a captured connection: `serve NAME PORT…` answers every HTTP request with who is asked by whom, over
// IPv4 and IPv6; `get URL…` prints one JSON line per answer; `await URL` ends when that answers 200.

import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One answer, as the client saw it; `status` 0 when there was none. */
export interface PeerAnswer {
  readonly status: number;
  /** Response header `x-via`: which listeners of proxies had it. */
  readonly via: string;
  /** Which server answered, which address of it was asked, and who asked. */
  readonly server?: string;
  readonly local?: string;
  readonly remote?: string;
  /** What the server's proxy says of the caller's certificate. */
  readonly caller?: string;
  readonly error?: string;
}

function plain(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '');
}

function serve(name: string, ports: readonly number[]): void {
  let left = ports.length;
  for (const port of ports) {
    const server = createServer(({ socket, headers }, response) => {
      const caller = headers['x-forwarded-client-cert'];
      const addresses = { local: plain(socket.localAddress), remote: plain(socket.remoteAddress) };
      const body = { server: name, ...addresses, ...(caller === undefined ? {} : { caller }) };
      response.setHeader('connection', 'close');
      response.end(JSON.stringify(body));
    });
    server.listen(port, '::', () => {
      left--;
      if (left === 0) process.stdout.write(`ready ${(server.address() as AddressInfo).port}\n`);
    });
  }
}

function ask(url: string): Promise<PeerAnswer> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        const via = String(response.headers['x-via'] ?? '');
        resolve({ status: response.statusCode ?? 0, via, ...(body.startsWith('{') ? JSON.parse(body) : {}) });
      });
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => resolve({ status: 0, via: '', error: error.message }));
  });
}

const [verb, ...args] = process.argv.slice(2);
if (verb === 'serve') serve(args[0] ?? '', args.slice(1).map(Number));
if (verb === 'await')
  while ((await ask(args[0] ?? '')).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
if (verb === 'get') for (const url of args) process.stdout.write(`${JSON.stringify(await ask(url))}\n`);
