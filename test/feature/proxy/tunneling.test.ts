// CONNECT over HTTP/1 and HTTP/2: ended at this proxy, sent on to another, and made for plain TCP connections (tunneling_config).

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type ClientHttp2Stream, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { openFramePeer } from '../../kit/frame-peer.ts';
import { until, waitFor } from '../../kit/until.ts';
import { reply, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { cluster, fileLog, httpManager, listener, startTestProxy, type TestProxy, tcpProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;
type Protocol = 'HTTP/1' | 'HTTP/2';

const speaksHttp2: Json = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

function over(protocol: Protocol): Json {
  return protocol === 'HTTP/2' ? speaksHttp2 : {};
}

const connectRoute = (name: string, ends: boolean): Json => ({
  match: { connect_matcher: {} },
  route: {
    cluster: name,
    timeout: '0s',
    upgrade_configs: [{ upgrade_type: 'CONNECT', ...(ends ? { connect_config: {} } : {}) }],
  },
});

const upgrades: Json = { upgrade_configs: [{ upgrade_type: 'CONNECT' }] };

/** A proxy at which tunnels end: their bytes go to a TCP server. */
async function startEnd(context: TestContext, onSocket: (socket: Socket) => void): Promise<TestProxy> {
  const port = await startTcpServer(context, onSocket);
  return startTestProxy(context, (logPath) => {
    const manager = httpManager([connectRoute('tcp', true)], {
      manager: upgrades,
      logPath,
      logFormat: '%REQ(:METHOD)% %REQ(:AUTHORITY)% %PROTOCOL% %RESPONSE_CODE% %REQ(X-FROM)%',
    });
    return { listeners: [listener('main', manager)], clusters: [cluster('tcp', [port])] };
  });
}

/** A server that answers with what it got when the client has ended, or speaks and ends first. */
const answersLast = (socket: Socket): void => {
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  socket.on('end', () => socket.end(`got ${bytes}`));
};

async function readAll(stream: Socket | ClientHttp2Stream): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  await waitFor(stream, 'end');
  return text;
}

async function openHttp2Tunnel(context: TestContext, port: number, authority: string): Promise<ClientHttp2Stream> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  context.after(() => session.destroy());
  const stream = session.request({ ':method': 'CONNECT', ':authority': authority });
  const [headers] = (await waitFor(stream, 'response')) as [IncomingHttpHeaders];
  assert.equal(headers[':status'], 200);
  return stream;
}

/** Opens a tunnel, sends `half` through it and gives the means to break it off. */
async function sendHalf(context: TestContext, protocol: Protocol, port: number): Promise<() => void> {
  if (protocol === 'HTTP/2') {
    const peer = await openFramePeer(context, port);
    peer.send('headers 1 |:method: CONNECT|:authority: db.test:5432');
    await peer.seen(/^HEADERS 1 .*:status=200/);
    peer.send('data 1 |half');
    return () => peer.send('reset 1 8');
  }
  const socket = await openHalf(context, port);
  socket.on('error', () => {}).write('CONNECT db.test:5432 HTTP/1.1\r\nhost: db.test:5432\r\n\r\n');
  await waitFor(socket, 'data');
  socket.write('half');
  return () => socket.resetAndDestroy();
}

describe('CONNECT', () => {
  it('over HTTP/1 ends at this proxy, each direction by itself', async (context) => {
    const proxy = await startEnd(context, answersLast);
    const socket = connect({ port: proxy.port(), host: '127.0.0.1', allowHalfOpen: true });
    context.after(() => socket.destroy());
    socket.write('CONNECT db.test:5432 HTTP/1.1\r\nhost: db.test:5432\r\n\r\n');
    assert.match(String((await waitFor(socket, 'data'))[0]), /^HTTP\/1\.1 200 OK\r\n/);
    socket.end('x'.repeat(100_000));
    assert.equal(await readAll(socket), 'got 100000');
    await until('it is over', () => proxy.stat('cluster.tcp.upstream_cx_active') === 0);
  });

  it('over HTTP/2 ends at this proxy, each direction by itself', async (context) => {
    const proxy = await startEnd(context, answersLast);
    const stream = await openHttp2Tunnel(context, proxy.port(), 'db.test:5432');
    stream.end('x'.repeat(100_000));
    assert.equal(await readAll(stream), 'got 100000');
    await until('it is over', () => proxy.stat('cluster.tcp.upstream_cx_active') === 0);
  });

  for (const protocol of ['HTTP/1', 'HTTP/2'] as const) {
    it(`over ${protocol} carries on towards an endpoint that has said its last`, async (context) => {
      let received = '';
      const proxy = await startEnd(context, (socket) => {
        socket.end('that was all');
        void readAll(socket).then((text) => {
          received = text;
        });
      });
      let client: Socket | ClientHttp2Stream;
      if (protocol === 'HTTP/2') client = await openHttp2Tunnel(context, proxy.port(), 'db.test:5432');
      else {
        client = await openHalf(context, proxy.port());
        client.write('CONNECT db.test:5432 HTTP/1.1\r\nhost: db.test:5432\r\n\r\n');
      }
      assert.match(await readAll(client), /that was all$/);
      client.end('y'.repeat(500_000));
      await until('everything is there', () => received.length === 500_000);
    });
  }

  for (const protocol of ['HTTP/1', 'HTTP/2'] as const) {
    for (const way of ['ends here', 'is sent on'] as const) {
      it(`over ${protocol} that ${way} and breaks off is no orderly end to the endpoint`, async (context) => {
        const events: string[] = [];
        const end = await startEnd(context, (socket) => {
          socket.on('data', () => events.push('data'));
          socket.on('end', () => events.push('end')).on('error', () => events.push('reset'));
        });
        const before = () => ({
          listeners: [listener('main', httpManager([connectRoute('next', false)], { manager: upgrades }))],
          clusters: [cluster('next', [end.port()])],
        });
        const port = way === 'ends here' ? end.port() : (await startTestProxy(context, before)).port();
        const breakOff = await sendHalf(context, protocol, port);
        await until('the half is there', () => events.length === 1);
        breakOff();
        await until('the endpoint knows', () => events.length === 2);
        assert.deepEqual(events, ['data', 'reset']);
      });
    }
  }

  it('over HTTP/2 whose endpoint resets it is reset as such', async (context) => {
    const proxy = await startEnd(context, (socket) => socket.on('data', () => socket.resetAndDestroy()));
    const stream = await openHttp2Tunnel(context, proxy.port(), 'db.test:5432');
    stream.write('x');
    await assert.rejects(waitFor(stream, 'end'), /NGHTTP2_CONNECT_ERROR/);
  });

  for (const down of ['HTTP/1', 'HTTP/2'] as const) {
    for (const up of ['HTTP/1', 'HTTP/2'] as const) {
      it(`that comes over ${down} is sent on over ${up}`, async (context) => {
        const end = await startEnd(context, (socket) => socket.write('hello') && answersLast(socket));
        const proxy = await startTestProxy(context, () => ({
          listeners: [listener('main', httpManager([connectRoute('next', false)], { manager: upgrades }))],
          clusters: [cluster('next', [end.port()], over(up))],
        }));
        if (down === 'HTTP/2') {
          const stream = await openHttp2Tunnel(context, proxy.port(), 'db.test:5432');
          stream.end('abc');
          assert.equal(await readAll(stream), 'hellogot 3');
        } else {
          const client = await openClient(context, proxy.port());
          client.request('CONNECT', 'db.test:5432', { host: 'db.test:5432' });
          assert.equal((await client.response()).status, 200);
          client.socket.end('abc');
          assert.equal((await client.received(10)).toString(), 'hellogot 3');
        }
        await until('it is over', () => end.stat('cluster.tcp.upstream_cx_active') === 0);
        assert.match((await end.accessLog())[0] ?? '', /^CONNECT db\.test:5432 HTTP\/\S+ 200/);
      });
    }
  }

  it('that no route takes is refused', async (context) => {
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([], { manager: upgrades }))],
      clusters: [],
    }));
    const client = await openClient(context, proxy.port());
    client.request('CONNECT', 'db.test:5432', { host: 'db.test:5432' });
    assert.equal((await client.response()).status, 404);
  });
});

/** A TCP listener whose connections go through the proxy on that port. */
function startEntry(context: TestContext, port: number, protocol: Protocol, tunnel: Json, more: Json = {}) {
  return startTestProxy(context, (logPath) => {
    const access_log = [fileLog(logPath, '%BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_FLAGS% %UPSTREAM_HOST%')];
    const filter = tcpProxy('next', { tunneling_config: { hostname: 'db.test:5432', ...tunnel }, access_log, ...more });
    return { listeners: [listener('main', filter)], clusters: [cluster('next', [port], over(protocol))] };
  });
}

async function openHalf(context: TestContext, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  context.after(() => socket.destroy());
  await waitFor(socket, 'connect');
  return socket;
}

describe('a TCP connection through another proxy', () => {
  for (const protocol of ['HTTP/1', 'HTTP/2'] as const) {
    it(`goes by CONNECT over ${protocol}, with the headers configured, and keeps its half-closes`, async (context) => {
      const end = await startEnd(context, answersLast);
      const headers_to_add = [{ header: { key: 'x-from', value: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' } }];
      const entry = await startEntry(context, end.port(), protocol, { headers_to_add });
      const client = await openHalf(context, entry.port());
      client.end('x'.repeat(300_000));
      assert.equal(await readAll(client), 'got 300000');
      await until('it is over', () => entry.stat('tcp.test.downstream_cx_active') === 0);
      assert.deepEqual(await entry.accessLog(), [`300000 10 - 127.0.0.1:${end.port()}`]);
      await until('its end is logged', () => end.stat('http.test.downstream_rq_active') === 0);
      assert.match((await end.accessLog())[0] ?? '', /^CONNECT db\.test:5432 HTTP\/\S+ 200 127\.0\.0\.1$/);
      assert.equal(entry.stat('cluster.next.upstream_rq_active'), 0);
    });

    it(`may be ended by the far end first over ${protocol}`, async (context) => {
      let received = '';
      const end = await startEnd(context, (socket) => {
        socket.end('that was all');
        void readAll(socket).then((text) => {
          received = text;
        });
      });
      const entry = await startEntry(context, end.port(), protocol, {});
      const client = await openHalf(context, entry.port());
      assert.equal(await readAll(client), 'that was all');
      client.end('y'.repeat(100_000));
      await until('everything is there', () => received.length === 100_000);
      await until('it is over', () => entry.stat('tcp.test.downstream_cx_active') === 0);
    });

    it(`shares a connection to the proxy with others over HTTP/2 only (${protocol})`, async (context) => {
      const end = await startEnd(context, (socket) => socket.pipe(socket));
      const entry = await startEntry(context, end.port(), protocol, {});
      const clients = [];
      for (let i = 0; i < 3; i++) {
        const client = await openClient(context, entry.port());
        client.send(`${i}`);
        assert.equal((await client.received(1)).toString(), `${i}`);
        clients.push(client);
      }
      assert.equal(entry.stat('cluster.next.upstream_cx_total'), protocol === 'HTTP/2' ? 1 : 3);
      for (const client of clients) client.close();
      await until('all are over', () => entry.stat('tcp.test.downstream_cx_active') === 0);
    });
  }

  it('goes by POST where that is asked for', async (context) => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.host}`);
      response.flushHeaders();
      request.on('data', (chunk: Buffer) => response.write(`<${chunk.toString()}>`));
      request.on('end', () => response.end());
    });
    const port = await startTcpServer(context, (socket) => server.emit('connection', socket));
    const entry = await startEntry(context, port, 'HTTP/1', { use_post: true, post_path: '/tunnel' });
    const client = await openHalf(context, entry.port());
    client.end('ping');
    assert.equal(await readAll(client), '<ping>');
    assert.deepEqual(seen, ['POST /tunnel db.test:5432']);
  });

  it('names its destination by what is known of it', async (context) => {
    const end = await startEnd(context, answersLast);
    const entry = await startEntry(context, end.port(), 'HTTP/2', { hostname: 'port-%DOWNSTREAM_LOCAL_PORT%:80' });
    const client = await openHalf(context, entry.port());
    client.end('x');
    await readAll(client);
    await until('its end is logged', () => end.stat('http.test.downstream_rq_active') === 0);
    assert.match((await end.accessLog())[0] ?? '', new RegExp(`^CONNECT port-${entry.port()}:80 `));
  });

  it('that the proxy refuses is tried again as often as max_connect_attempts says, then ends', async (context) => {
    const upstream = await startUpstream(context, [reply(403, { body: 'no' })]);
    const entry = await startEntry(context, upstream.port, 'HTTP/1', {}, { max_connect_attempts: 2 });
    const client = await openClient(context, entry.port());
    await client.closed();
    assert.equal(client.rest.length, 0);
    assert.equal(upstream.requests.length, 2);
    await until('it is over', () => entry.stat('tcp.test.downstream_cx_active') === 0);
    assert.equal(entry.stat('cluster.next.upstream_rq_active'), 0);
    assert.equal(entry.stat('cluster.next.upstream_cx_connect_attempts_exceeded'), 1);
  });

  it('that the client gives up early leaves nothing behind', async (context) => {
    const upstream = await startUpstream(context, [() => {}]);
    const entry = await startEntry(context, upstream.port, 'HTTP/1', {}, { idle_timeout: '0.1s' });
    const client = await openClient(context, entry.port());
    await upstream.request(1);
    client.socket.resetAndDestroy();
    await until('it is over', () => entry.stat('tcp.test.downstream_cx_active') === 0);
    await until('the connection is closed', () => entry.stat('cluster.next.upstream_cx_active') === 0);
    assert.equal(entry.stat('cluster.next.upstream_rq_active'), 0);
  });
});
