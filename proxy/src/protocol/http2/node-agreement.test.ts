// The codec against another HTTP/2 machine, Node's own, over a loopback connection: both roles.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import type { Http2Stream } from './connection.ts';
import { Peer } from './testing/peer.ts';

/** Ties a peer to one end of a pair. */
function attach(peer: Peer, end: Socket): () => void {
  const flush = () => {
    if (peer.out.length > 0) end.write(peer.written());
  };
  end.on('data', (chunk: Buffer) => {
    peer.receive(chunk);
    flush();
  });
  peer.connection.start();
  flush();
  return flush;
}

const big = Buffer.alloc(3_000_000, 'abcdefghij');

// Sends all of it as the windows open, then the end or trailers.
function sendAll(peer: Peer, stream: Http2Stream, trailers: Headers | null): void {
  let at = 0;
  const go = () => {
    at += peer.connection.sendData(stream, big, at, big.length - at, trailers === null);
    if (at === big.length && trailers !== null) peer.connection.sendTrailers(stream, trailers);
  };
  peer.onWritableDo = go;
  go();
}

async function withClient(
  peer: Peer,
  run: (session: ClientHttp2Session, flush: () => void) => Promise<void>,
): Promise<void> {
  let flush = () => {};
  const server = createTcpServer((socket) => {
    flush = attach(
      peer,
      socket.on('error', () => socket.destroy()),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    await run(session, () => flush());
  } finally {
    session.destroy();
    server.close();
  }
}

test("Node's client and our server: many heads, a large body both ways, trailers, a reset, a graceful end", async () => {
  const peer = new Peer('server');
  await withClient(peer, async (session, flush) => {
    for (let i = 0; i < 40; i++) {
      const request = session.request({ ':path': `/items/${i}`, 'x-same': 'each time', 'x-other': `value ${i}` });
      request.end();
      while (peer.streams.length <= i) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(
        peer.events.some((line) => line.startsWith(`request ${request.id} GET /items/${i} `) && line.endsWith(' end')),
      );
      assert.ok(peer.events.includes(`  x-other: value ${i}`));
      const headers = Headers.of('x-index', String(i), 'x-same', 'each time', 'content-length', '0');
      peer.connection.sendResponseHead(peer.streams[i] as Http2Stream, 200, headers, true);
      flush();
      const [response] = await once(request, 'response');
      assert.deepEqual([response[':status'], response['x-index'], response['x-same']], [200, String(i), 'each time']);
      request.resume();
      await once(request, 'close');
    }

    const upload = session.request({ ':method': 'POST', ':path': '/big' }, { endStream: false });
    upload.end(big);
    while (!peer.events.includes(`end ${upload.id} ${big.length} bytes`))
      await new Promise((resolve) => setImmediate(resolve));
    assert.equal(peer.bodyOf(upload.id ?? 0), big.toString());
    const stream = peer.streams.at(-1) as Http2Stream;
    peer.connection.sendResponseHead(stream, 200, Headers.of('trailer', 'x-sum'), false);
    sendAll(peer, stream, Headers.of('x-sum', '42'));
    flush();
    const trailers = once(upload, 'trailers');
    const chunks = (await upload.toArray()) as Buffer[];
    assert.ok(Buffer.concat(chunks).equals(big));
    assert.equal((await trailers)[0]['x-sum'], '42');

    const cancelled = session.request({ ':method': 'POST', ':path': '/cancel' }, { endStream: false });
    cancelled.on('error', () => {});
    cancelled.write('x');
    while (peer.streams.length < 42) await new Promise((resolve) => setImmediate(resolve));
    cancelled.close(8);
    await once(cancelled, 'close');
    while (!peer.events.includes(`reset ${cancelled.id} 8 remote`))
      await new Promise((resolve) => setImmediate(resolve));

    const goneAway = once(session, 'goaway');
    peer.connection.goAway(0);
    flush();
    assert.equal((await goneAway)[0], 0);
  });
  assert.equal(peer.connection.error, null);
});

test("our client and Node's server: heads, informational responses, a large body both ways, trailers", async () => {
  const seen: string[] = [];
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    seen.push(`${headers[':method']} ${headers[':path']} ${headers[':authority']} ${headers['x-index'] ?? ''}`);
    if (headers[':method'] !== 'POST') {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 200, 'x-path': headers[':path'] });
      stream.end('hello');
      return;
    }
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
    stream.pipe(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
  const peer = new Peer('client');
  const flush = attach(peer, near);
  for (let i = 0; i < 40; i++) {
    const stream = peer.open({
      path: `/items/${i}`,
      authority: 'a.example',
      headers: Headers.of('x-index', String(i), 'x-same', 'each'),
    });
    flush();
    while (!peer.events.includes(`end ${stream?.id} 5 bytes`)) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(seen[i], `GET /items/${i} a.example ${i}`);
    assert.ok(peer.events.includes(`informational ${stream?.id} 103`));
    assert.ok(peer.events.includes(`  x-path: /items/${i}`));
  }
  const upload = peer.open({ method: 'POST', path: '/echo' }, false) as Http2Stream;
  sendAll(peer, upload, null);
  flush();
  while (!peer.events.includes(`trailers ${upload.id}`)) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(peer.bodyOf(upload.id), big.toString());
  assert.equal(peer.events.at(-1), '  x-sum: 42');
  assert.equal(peer.connection.activeStreams, 0);
  assert.equal(peer.connection.error, null);
  near.destroy();
  server.close();
});
