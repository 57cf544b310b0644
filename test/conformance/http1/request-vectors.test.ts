// The codec's request vectors once more, over a socket and through the whole proxy: what must be refused is answered with an error,
// ends the connection and never reaches the upstream as a request; what is accepted does, and Node's own parser can read it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, METHODS, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { readVectors, type Vector } from '@weft/proxy/protocol/http1/testing/vector-file';
import {
  cluster,
  httpManager,
  listener,
  routeTo,
  startTestProxy,
  type TestProxy,
} from '../../feature/proxy/fixture.ts';
import { openClient } from '../../kit/client.ts';

let upstream: Server;
let proxy: TestProxy;
/** Method and body length of each request that arrived whole. */
let arrived: string[] = [];
const cleanups: (() => unknown)[] = [];

before(async () => {
  upstream = createServer((request, response) => {
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    request.on('error', () => {});
    request.on('end', () => {
      arrived.push(`${request.method} ${length}`);
      response.end('answered');
    });
  });
  upstream.maxHeadersCount = 0;
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  proxy = await startTestProxy({ after: (cleanup: () => unknown) => cleanups.push(cleanup) } as never, () => ({
    listeners: [listener('main', httpManager([routeTo('backend')]))],
    clusters: [cluster('backend', [port])],
  }));
});

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  upstream.closeAllConnections();
  upstream.close();
});

/** What the events of a vector say of the requests in it. */
function readEvents(vector: Vector): { whole: string[]; open: boolean; error: boolean } {
  const whole: string[] = [];
  let open: { method: string; length: number } | null = null;
  for (const line of vector.events) {
    const [word, first = ''] = line.split(' ');
    if (word === 'request') open = { method: first, length: 0 };
    else if (word === 'data' && open !== null) open.length = Number(first);
    else if (word === 'end' && open !== null) {
      whole.push(`${open.method} ${open.length}`);
      open = null;
    }
  }
  return { whole, open: open !== null, error: vector.events.some((line) => line.startsWith('error')) };
}

// Left to the tests of the connection manager: its own options, tunnels, an answer before the body, a client that goes away.
function isForwarded({ options, events }: Vector): boolean {
  const { limits, responseTo, eof } = options;
  if (responseTo !== null || eof || limits.allowHttp10) return false;
  if (limits.maxHeaderBytes !== 61440 || limits.maxHeaderCount !== 100 || limits.maxTrailerBytes !== 61440)
    return false;
  return !events.some((line) => /^request (CONNECT|\S+ \S+ \*)|upgrade=|expect/.test(line));
}

for (const [file, vectors] of readVectors()) {
  for (const vector of vectors.filter(isForwarded)) {
    const { whole, open, error } = readEvents(vector);
    // A message that simply has not ended yet.
    if (open && !error) continue;
    // The parser of the upstream knows a list of methods, where any token is one.
    if (!whole.every((request) => METHODS.includes(request.slice(0, request.indexOf(' '))))) continue;
    test(`${file}: ${vector.name.replace(/^.*?: /, '')}`, async (context) => {
      arrived = [];
      const client = await openClient(context, proxy.port());
      client.send(vector.input);
      for (let i = 0; i < whole.length; i++) {
        const response = await client.response();
        assert.deepEqual([response.status, response.text], [200, 'answered']);
      }
      if (error) {
        const { status } = await client.response();
        assert.ok((status >= 400 && status < 500) || status === 501, `answered with ${status}`);
        await client.closed();
      }
      assert.deepEqual(arrived, whole);
      assert.equal(client.rest.length, 0);
    });
  }
}
