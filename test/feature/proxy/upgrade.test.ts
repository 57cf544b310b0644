// WebSocket through the real proxy, by a real library over HTTP/1 and by extended CONNECT over HTTP/2, in every combination; and what
// becomes of an upgrade that the endpoint does not take.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { openClient } from '../../kit/client.ts';
import { fetchHttp2 } from '../../kit/http2-client.ts';
import { startHttp2Upstream } from '../../kit/http2-server.ts';
import { until, waitFor, within } from '../../kit/until.ts';
import { echo, reply, reset, type Step, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { TextFrameReader, textFrame } from '../../kit/websocket-frame.ts';
import {
  cluster,
  http2Only,
  httpManager,
  httpManagerFor,
  listener,
  routeTo,
  startTestProxy,
  type TestProxy,
} from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

function startProxy(context: TestContext, port: number, more: Json = {}): Promise<TestProxy> {
  const manager = { upgrade_configs: [{ upgrade_type: 'websocket' }] };
  return startTestProxy(context, (logPath) => ({
    listeners: [listener('main', httpManager([routeTo('a')], { manager, logPath }))],
    clusters: [cluster('a', [port], more)],
  }));
}

/** A real WebSocket server over HTTP/1 that echoes, and closes when told `bye`. */
async function startHttp1Server(context: TestContext): Promise<number> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      if (String(data) === 'bye') socket.close(4000, 'as told');
      else socket.send(data, { binary: isBinary });
    });
  });
  await once(server, 'listening');
  context.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that takes WebSocket by extended CONNECT and echoes. */
async function startStreamServer(context: TestContext): Promise<number> {
  const { port } = await startHttp2Upstream(
    context,
    (stream, headers) => {
      const isTaken =
        headers[':method'] === 'CONNECT' && headers[':protocol'] === 'websocket' && headers[':path'] === '/chat';
      if (!isTaken) {
        stream.respond({ ':status': 400 }, { endStream: true });
        return;
      }
      const offered = headers['sec-websocket-protocol'];
      stream.respond({ ':status': 200, ...(offered === undefined ? {} : { 'sec-websocket-protocol': offered }) });
      const reader = new TextFrameReader();
      stream.on('data', (chunk: Buffer) => {
        for (const text of reader.push(chunk)) stream.write(textFrame(text, false));
      });
      stream.on('end', () => stream.end());
    },
    { settings: { enableConnectProtocol: true } },
  );
  return port;
}

interface Endpoint {
  readonly name: string;
  start(context: TestContext): Promise<number>;
  readonly cluster: Json;
}

const endpoints: readonly Endpoint[] = [
  { name: 'HTTP/1', start: startHttp1Server, cluster: {} },
  { name: 'HTTP/2', start: startStreamServer, cluster: http2Only },
];

/** A session whose peer has said that it takes extended CONNECT. */
async function openSession(context: TestContext, port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  context.after(() => session.destroy());
  const [settings] = (await waitFor(session, 'remoteSettings')) as [{ enableConnectProtocol?: boolean }];
  assert.equal(settings.enableConnectProtocol, true);
  return session;
}

function openStream(session: ClientHttp2Session, more: Json = {}): ClientHttp2Stream {
  const head = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/chat',
    ':scheme': 'http',
    ':authority': 'a',
  };
  const stream = session.request({ ...head, 'sec-websocket-version': '13', ...more }, { endStream: false });
  // Streams that are still open when a test ends are cut with everything else.
  return stream.on('error', () => {});
}

/** Sends texts one after the other, each when the one before has come back. */
async function talk(stream: ClientHttp2Stream, texts: readonly string[]): Promise<void> {
  const reader = new TextFrameReader();
  const got: string[] = [];
  stream.on('data', (chunk: Buffer) => got.push(...reader.push(chunk)));
  for (const [i, text] of texts.entries()) {
    stream.write(textFrame(text, true));
    await until(`'${text}' comes back`, () => got.length > i);
  }
  assert.deepEqual(got, texts);
}

describe('WebSocket', () => {
  for (const endpoint of endpoints) {
    it(`of a library over HTTP/1 reaches a server over ${endpoint.name}`, async (context) => {
      const proxy = await startProxy(context, await endpoint.start(context), endpoint.cluster);
      const socket = new WebSocket(`ws://127.0.0.1:${proxy.port()}/chat`, ['chat.v2'], { perMessageDeflate: false });
      context.after(() => socket.terminate());
      await waitFor(socket, 'open');
      assert.equal(socket.protocol, 'chat.v2');
      for (const text of ['one', 'two']) {
        socket.send(text);
        const [data] = await waitFor(socket, 'message');
        assert.equal(String(data), text);
      }
    });

    it(`over HTTP/2 reaches a server over ${endpoint.name}`, async (context) => {
      const proxy = await startProxy(context, await endpoint.start(context), endpoint.cluster);
      const stream = openStream(await openSession(context, proxy.port()), { 'sec-websocket-protocol': 'chat.v2' });
      const [headers] = (await waitFor(stream, 'response')) as [Json];
      assert.deepEqual([headers[':status'], headers['sec-websocket-protocol']], [200, 'chat.v2']);
      assert.equal(headers.connection, undefined);
      assert.equal(headers.upgrade, undefined);
      await talk(stream, ['one', 'two', 'three']);
      stream.end();
      await within('the end of the stream', once(stream, 'close'));
      assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
    });
  }

  it('carries much in both directions and the close of the server', async (context) => {
    const proxy = await startProxy(context, await startHttp1Server(context));
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port()}/chat`, { perMessageDeflate: false });
    context.after(() => socket.terminate());
    await waitFor(socket, 'open');
    const large = Buffer.alloc(4 * 1024 * 1024, 7);
    socket.send(large);
    const [data] = (await waitFor(socket, 'message', 20_000)) as [Buffer];
    assert.ok(large.equals(data));
    socket.send('bye');
    const [code, reason] = await waitFor(socket, 'close');
    assert.deepEqual([code, String(reason)], [4000, 'as told']);
    await until('the exchange is logged', () => proxy.stat('http.test.downstream_rq_active') === 0);
    assert.match((await proxy.accessLog())[0] ?? '', /^101 - /);
  });

  it('runs beside other requests of the same connection', async (context) => {
    const port = await startStreamServer(context);
    const proxy = await startProxy(context, port, http2Only);
    const session = await openSession(context, proxy.port());
    const [first, second] = [openStream(session), openStream(session)];
    assert.equal((await fetchHttp2(session, { ':path': '/other' })).status, 400);
    await Promise.all([talk(first, ['a', 'b']), talk(second, ['c', 'd'])]);
  });
});

describe('an upgrade that is not taken', () => {
  const refusal: Step = reply(403, { body: 'not here', headers: { 'x-why': 'because' } });

  it('passes through as an ordinary response over HTTP/1, and the connection goes on', async (context) => {
    const upstream = await startUpstream(context, [refusal, reply(200, { body: 'no upgrade' }), echo()]);
    const proxy = await startProxy(context, upstream.port);
    const client = await openClient(context, proxy.port());
    const upgrade = { connection: 'upgrade', upgrade: 'websocket' };
    const refused = await client.fetch('GET', '/chat', upgrade);
    assert.deepEqual([refused.status, refused.text, refused.headers['x-why']], [403, 'not here', 'because']);
    const ignored = await client.fetch('GET', '/chat', upgrade);
    assert.deepEqual([ignored.status, ignored.text, ignored.headers.upgrade], [200, 'no upgrade', undefined]);
    assert.equal((await client.fetch('GET', '/next')).text, 'GET /next');
  });

  it('passes through over HTTP/2 as well', async (context) => {
    const upstream = await startUpstream(context, [refusal]);
    const proxy = await startProxy(context, upstream.port);
    const stream = openStream(await openSession(context, proxy.port()));
    const [headers] = (await waitFor(stream, 'response')) as [Json];
    assert.deepEqual([headers[':status'], headers['x-why']], [403, 'because']);
    const [body] = (await waitFor(stream, 'data')) as [Buffer];
    assert.equal(body.toString(), 'not here');
  });

  it('is never taken for accepted over HTTP/2 because the endpoint answers 200', async (context) => {
    const upstream = await startUpstream(context, [reply(200, { body: 'a page' })]);
    const proxy = await startProxy(context, upstream.port);
    const stream = openStream(await openSession(context, proxy.port()));
    const [headers] = (await waitFor(stream, 'response')) as [Json];
    assert.equal(headers[':status'], 502);
    await until('the exchange is over', () => proxy.stat('http.test.downstream_rq_active') === 0);
    assert.match((await proxy.accessLog())[0] ?? '', /^502 UPE upgrade_not_switched/);
  });

  it('of a library over HTTP/1 is an error with the status of the endpoint', async (context) => {
    const { port } = await startHttp2Upstream(
      context,
      (stream) => stream.respond({ ':status': 429 }, { endStream: true }),
      { settings: { enableConnectProtocol: true } },
    );
    const proxy = await startProxy(context, port, http2Only);
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port()}/chat`);
    context.after(() => socket.terminate());
    const [error] = (await waitFor(socket, 'error')) as [Error];
    assert.match(error.message, /429/);
  });

  it('fails where the endpoint over HTTP/2 takes no upgrades at all', async (context) => {
    const { port } = await startHttp2Upstream(context, (stream) =>
      stream.respond({ ':status': 200 }, { endStream: true }),
    );
    const proxy = await startProxy(context, port, http2Only);
    const client = await openClient(context, proxy.port());
    const upgrade = { connection: 'upgrade', upgrade: 'websocket' };
    assert.equal((await client.fetch('GET', '/chat', upgrade)).status, 502);
  });

  it('is refused where no configuration enables it', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/chat', { connection: 'upgrade', upgrade: 'websocket' })).status, 403);
    const stream = openStream(await openSession(context, proxy.port()));
    const [headers] = (await waitFor(stream, 'response')) as [Json];
    assert.equal(headers[':status'], 403);
    assert.equal(upstream.requests.length, 0);
  });

  it('is forgotten when its client goes before the endpoint has said what it takes', async (context) => {
    const port = await startTcpServer(context, (socket) => socket.resume());
    const proxy = await startProxy(context, port, http2Only);
    const client = await openClient(context, proxy.port());
    client.request('GET', '/chat', { connection: 'upgrade', upgrade: 'websocket' });
    await until('the connection stands', () => proxy.stat('cluster.a.upstream_cx_http2_total') === 1);
    client.close();
    await until('the start is cancelled', () => proxy.stat('cluster.a.upstream_rq_cancelled') === 1);
    assert.equal(proxy.stat('http.test.downstream_rq_active'), 0);
  });

  it('that breaks off gives 503', async (context) => {
    const upstream = await startUpstream(context, [reset()]);
    const proxy = await startProxy(context, upstream.port);
    const stream = openStream(await openSession(context, proxy.port()));
    const [headers] = (await waitFor(stream, 'response')) as [Json];
    assert.equal(headers[':status'], 503);
  });
});

describe('what a client sends before an upgrade is accepted', () => {
  const evil = 'GET /evil HTTP/1.1\r\nhost: a\r\n\r\n';
  const offer = 'GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n';

  /** An endpoint that writes down what comes, and answers the first head of each connection when it is let. */
  async function listen(
    context: TestContext,
    answer: string,
  ): Promise<{ port: number; texts: string[]; answer: () => void }> {
    const texts: string[] = [];
    const sockets: Socket[] = [];
    const port = await startTcpServer(context, (socket) => {
      const at = sockets.push(socket) - 1;
      texts[at] = '';
      socket.on('data', (chunk: Buffer) => {
        texts[at] += chunk.toString('latin1');
      });
    });
    return { port, texts, answer: () => sockets.at(-1)?.write(answer) };
  }

  const bodies: readonly (readonly [name: string, rest: string])[] = [
    ['chunks', `transfer-encoding: chunked\r\n\r\n${evil.length.toString(16)}\r\n${evil}\r\n0\r\n\r\n`],
    ['a body', `content-length: ${evil.length}\r\n\r\n${evil}`],
  ];
  for (const [name, rest] of bodies) {
    it(`as ${name} stays the body of a request without the offer`, async (context) => {
      const upstream = await startUpstream(context, [echo()]);
      const proxy = await startProxy(context, upstream.port);
      const client = await openClient(context, proxy.port());
      client.send(offer + rest);
      const { status, headers } = await client.response();
      assert.equal(status, 200);
      assert.equal(headers['seen-upgrade'], undefined);
      assert.deepEqual(
        upstream.requests.map(({ startLine, body }) => [startLine, body.toString('latin1')]),
        [['GET /chat HTTP/1.1', evil]],
      );
    });
  }

  it('goes nowhere when it is refused, over HTTP/2', async (context) => {
    const endpoint = await listen(context, 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    const proxy = await startProxy(context, endpoint.port);
    const session = await openSession(context, proxy.port());
    const stream = openStream(session);
    stream.write(evil);
    await until('the head has come', () => endpoint.texts[0]?.endsWith('\r\n\r\n') === true);
    endpoint.answer();
    const [head] = (await waitFor(stream, 'response')) as [{ ':status': number }];
    assert.equal(head[':status'], 403);
    assert.equal(endpoint.texts.join('').includes('evil'), false);
    const next = fetchHttp2(session, { ':path': '/next' });
    await until('the next request is on a connection of its own', () => endpoint.texts.length === 2);
    endpoint.answer();
    assert.equal((await next).status, 403);
  });

  it('comes through once it is accepted, and the end with it', async (context) => {
    const accepted = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    const endpoint = await listen(context, accepted);
    const proxy = await startProxy(context, endpoint.port);
    const session = await openSession(context, proxy.port());
    const stream = openStream(session);
    stream.end('early');
    await until('the head has come', () => endpoint.texts[0]?.endsWith('\r\n\r\n') === true);
    endpoint.answer();
    await until('what was early has come', () => endpoint.texts[0]?.endsWith('\r\n\r\nearly') === true);
  });

  it('is no content of a CONNECT', async (context) => {
    const endpoint = await listen(context, 'HTTP/1.1 200 OK\r\n\r\n');
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        listener(
          'main',
          httpManagerFor([
            {
              name: 'all',
              domains: ['*'],
              routes: [
                {
                  match: { connect_matcher: {} },
                  route: { cluster: 'a', upgrade_configs: [{ upgrade_type: 'CONNECT' }] },
                },
              ],
            },
          ]),
        ),
      ],
      clusters: [cluster('a', [endpoint.port])],
    }));
    const client = await openClient(context, proxy.port());
    client.send(`CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\ncontent-length: ${evil.length}\r\n\r\n${evil}`);
    client.expect('POST');
    assert.equal((await client.response()).status, 400);
    assert.deepEqual(endpoint.texts, []);
  });
});
