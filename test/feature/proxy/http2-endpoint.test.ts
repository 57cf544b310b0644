// Endpoints over HTTP/2 that end connections, limit streams, answer late, or negotiate: no request fails that need not.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type SecureServerOptions,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { createSecureContext } from 'node:tls';
import { makeSampleCertificate, makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { heldBytes } from '@weft/proxy/protocol/http2/receive-flow';
import { openClient } from '../../kit/client.ts';
import { type FramePeer, openFramePeer, requestOf, startFrameUpstream } from '../../kit/frame-peer.ts';
import { fetchHttp2, openHttp2 } from '../../kit/http2-client.ts';
import { startHttp2Upstream } from '../../kit/http2-server.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { reply, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const optionsName = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function speaking(options: Json): Json {
  const typed = { '@type': `type.googleapis.com/${optionsName}`, ...options };
  return { typed_extension_protocol_options: { [optionsName]: typed } };
}

const http2 = (options: Json = {}, more: Json = {}) =>
  speaking({ ...more, explicit_http_config: { http2_protocol_options: options } });

interface Parts {
  readonly action?: Json;
  readonly manager?: Json;
  readonly cluster?: Json;
  readonly clock?: LeapClock;
}

async function proxyTo(context: TestContext, port: number, parts: Parts = {}): Promise<TestProxy> {
  const { action = {}, manager = {}, clock } = parts;
  return startTestProxy(
    context,
    (logPath) => ({
      listeners: [listener('main', httpManager([routeTo('a', action)], { logPath, manager }))],
      clusters: [cluster('a', [port], { ...http2(), ...parts.cluster })],
    }),
    clock,
  );
}

/** Answers each request with 200 at once. */
function answerAll(peer: FramePeer): void {
  peer.onLine = (line) => {
    const id = requestOf(line);
    if (id !== null) peer.send(`headers ${id} end |ok`);
  };
}

function asker(context: TestContext, proxy: TestProxy): (path?: string) => Promise<number> {
  const session = openHttp2(context, proxy.port());
  return (path = '/') =>
    fetchHttp2(session, { ':path': path }).then(
      ({ status }) => status,
      () => 0,
    );
}

/** As after 2^30 requests over the only connection to the cluster `a`. */
function leaveTwoIdentifiers(proxy: TestProxy): void {
  const pool = proxy.running.clusters.get('a')?.allHosts()[0]?.pool as unknown as {
    readonly shared: {
      readonly http2: { readonly clients: { readonly http2: { readonly streams: { lastId: number } } }[] };
    };
  };
  const [client] = pool.shared.http2.clients;
  assert.ok(client !== undefined);
  client.http2.streams.lastId = 0x7fff_fffb;
}

const root = makeSampleRoot();
const certificate = makeSampleCertificate({ commonName: 'in.test', dnsNames: ['in.test'], issuer: root });
const tls: Json = {
  transport_socket: {
    name: 'tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      sni: 'in.test',
      common_tls_context: { validation_context: { trusted_ca: { inline_string: root.pem } } },
    },
  },
};

async function startTls(
  context: TestContext,
  options: SecureServerOptions,
  answer: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
): Promise<number> {
  const server = createSecureServer({ cert: certificate.pem, key: certificate.keyPem, ...options }, answer);
  const sockets: Set<Socket> = new Set();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  server.on('session', (session) => session.on('error', () => {}));
  server.on('sessionError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const one: Json = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };

describe('requests that wait for a connection', () => {
  const endings: readonly (readonly [name: string, end: (peer: FramePeer) => void, status: number])[] = [
    ['is ended', (peer) => peer.socket.end(), 503],
    ['is reset', (peer) => peer.socket.resetAndDestroy(), 503],
    ['breaks the protocol', (peer) => peer.send('ping\nframe 0 0 0 00'), 502],
  ];
  for (const [name, end, status] of endings) {
    it(`go to the next one when it ${name}`, async (context) => {
      const peers: FramePeer[] = [];
      const port = await startFrameUpstream(context, (peer, count) => {
        peers.push(peer);
        peer.send('settings 3=2');
        if (count > 1) answerAll(peer);
      });
      const proxy = await proxyTo(context, port, { cluster: one });
      const ask = asker(context, proxy);
      const first = ask('/first');
      await until('it has the first', () => peers[0]?.lines.some((line) => line.includes('/first')) === true);
      await until('its limit is known', () => peers[0]?.lines.includes('SETTINGS ack') === true);
      const waiting = [ask(), ask(), ask()];
      await until('three wait', () => proxy.stat('cluster.a.upstream_rq_pending_active') === 3);
      end(peers[0] as FramePeer);
      assert.equal(await first, status);
      assert.deepEqual(await Promise.all(waiting), [200, 200, 200]);
      assert.equal(proxy.stat('cluster.a.upstream_rq_active'), 0);
    });
  }

  it('wait where an endpoint takes one at a time', async (context) => {
    const held: number[] = [];
    let peer: FramePeer | null = null;
    const port = await startFrameUpstream(context, (found) => {
      peer = found;
      found.send('settings 3=1');
      found.onLine = (line) => {
        const id = requestOf(line);
        if (id !== null) held.push(id);
      };
    });
    const proxy = await proxyTo(context, port, { cluster: one });
    const ask = asker(context, proxy);
    const answers = [ask()];
    await until('the first has come', () => held.length === 1);
    await until('its limit is known', () => (peer as FramePeer | null)?.lines.includes('SETTINGS ack') === true);
    answers.push(ask(), ask(), ask());
    await until('three wait', () => proxy.stat('cluster.a.upstream_rq_pending_active') === 3);
    for (let count = 1; count <= 4; count++) {
      await until('the next has come', () => held.length === count);
      (peer as FramePeer | null)?.send(`headers ${held.at(-1)} end |ok`);
    }
    assert.deepEqual(await Promise.all(answers), [200, 200, 200, 200]);
  });

  it('find as many connections as they need, all at a time', async (context) => {
    const secure = createSecureContext({ cert: certificate.pem, key: certificate.keyPem });
    const handshakes: (() => void)[] = [];
    const SNICallback: SecureServerOptions['SNICallback'] = (_name, callback) => {
      if (handshakes.push(() => callback(null, secure)) === 12) for (const go of handshakes) go();
    };
    const port = await startTls(context, { SNICallback }, (_request, response) => response.end('ok'));
    const more = { common_http_protocol_options: { max_requests_per_connection: 1 } };
    const proxy = await proxyTo(context, port, { cluster: { ...http2({}, more), ...tls } });
    const ask = asker(context, proxy);
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask()));
    assert.deepEqual(new Set(answers), new Set([200]));
  });

  it('are not driven into a limit that the host has told before', async (context) => {
    let refused = 0;
    const { port } = await startHttp2Upstream(
      context,
      (stream) => {
        if (stream.destroyed) refused++;
        else setImmediate(() => stream.destroyed || stream.respond({ ':status': 200 }, { endStream: true }));
      },
      { settings: { maxConcurrentStreams: 10 } },
    );
    const proxy = await proxyTo(context, port);
    const ask = asker(context, proxy);
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask()));
    assert.deepEqual(new Set(answers), new Set([200]), `${refused} refused`);
  });
});

describe('streams towards an endpoint', () => {
  it('are as many as the cluster says, whatever the endpoint takes', async (context) => {
    const streams: Map<FramePeer, number> = new Map();
    const port = await startFrameUpstream(context, (peer) => {
      streams.set(peer, 0);
      peer.send('settings 3=1000');
      peer.onLine = (line) => {
        if (requestOf(line) !== null) streams.set(peer, (streams.get(peer) ?? 0) + 1);
      };
    });
    const proxy = await proxyTo(context, port, { cluster: http2({ max_concurrent_streams: 2 }) });
    const ask = asker(context, proxy);
    for (let i = 0; i < 10; i++) void ask();
    const total = () => [...streams.values()].reduce((sum, count) => sum + count, 0);
    await until('all ten have come', () => total() === 10);
    assert.deepEqual([...streams.values()], [2, 2, 2, 2, 2]);
  });

  it('go over a new connection when the identifiers of the first are used up', async (context) => {
    let connections = 0;
    const port = await startFrameUpstream(context, (peer) => {
      connections++;
      peer.send('settings');
      answerAll(peer);
    });
    const proxy = await proxyTo(context, port, { cluster: one });
    const ask = asker(context, proxy);
    assert.equal(await ask(), 200);
    leaveTwoIdentifiers(proxy);
    for (let i = 0; i < 5; i++) assert.equal(await ask(), 200);
    assert.equal(connections, 2);
    await until('the first is closed', () => proxy.stat('cluster.a.upstream_cx_active') === 1);
  });

  it('that were given up may be answered late, however many they are', async (context) => {
    let peer: FramePeer | null = null;
    const port = await startFrameUpstream(context, (found) => {
      peer = found;
      found.send('settings 3=10000');
    });
    const proxy = await proxyTo(context, port);
    const lines = () => (peer as FramePeer | null)?.lines ?? [];
    const ask = asker(context, proxy);
    const answer = ask('/stays');
    await until('it has come', () => lines().some((line) => line.includes('/stays')));
    const leaving = openHttp2(context, proxy.port());
    for (let i = 0; i < 90; i++) leaving.request({ ':path': '/leaves' }).on('error', () => {});
    await until('all have come', () => lines().filter((line) => line.includes('/leaves')).length === 90);
    leaving.destroy();
    await until('all are given up', () => lines().filter((line) => line.startsWith('RST_STREAM')).length === 90);
    const late = Array.from({ length: 90 }, (_, i) => `headers ${3 + 2 * i} |ok\ndata ${3 + 2 * i} end |x`);
    (peer as FramePeer | null)?.send([...late, 'headers 1 end |ok'].join('\n'));
    assert.equal(await answer, 200);
  });

  it('may be told of early hints, each of them', async (context) => {
    const port = await startFrameUpstream(context, (peer) => {
      peer.send('settings 3=1000');
      peer.onLine = (line) => {
        const id = requestOf(line);
        if (id !== null) peer.send(`headers ${id} |:status: 103|link: x\nheaders ${id} end |ok`);
      };
    });
    const proxy = await proxyTo(context, port);
    for (let round = 0; round < 4; round++) {
      const ask = asker(context, proxy);
      const answers = await Promise.all(Array.from({ length: 80 }, () => ask()));
      assert.deepEqual(new Set(answers), new Set([200]));
    }
    assert.equal(proxy.stat('cluster.a.upstream_cx_total'), 1);
  });

  it('are not reset when they are over and the request is tried again', async (context) => {
    let requests = 0;
    let peer: FramePeer | null = null;
    const port = await startFrameUpstream(context, (found) => {
      peer = found;
      found.send('settings');
      found.onLine = (line) => {
        const id = requestOf(line);
        if (id !== null) found.send(`headers ${id} end |:status: ${++requests < 3 ? 503 : 200}`);
      };
    });
    const action = { retry_policy: { retry_on: '5xx', num_retries: 3 } };
    const proxy = await proxyTo(context, port, { action });
    assert.equal(await asker(context, proxy)(), 200);
    const lines = (peer as FramePeer | null)?.lines ?? [];
    assert.deepEqual(
      lines.filter((line) => line.startsWith('RST_STREAM')),
      [],
    );
  });
});

describe('streams that wait for somebody slow', () => {
  const large = Buffer.alloc(300_000, 'x');

  /** One stream has used up the window of its connection. */
  async function useUp(context: TestContext, limits: Json) {
    const { port, sessions } = await startHttp2Upstream(context, (stream) => {
      stream.respond({ ':status': 200 });
      stream.end(large);
    });
    const options = http2({ initial_connection_window_size: 65_535 });
    const proxy = await proxyTo(context, port, { cluster: { ...options, ...limits } });
    const slow = await openFramePeer(context, proxy.port(), 'settings 4=0');
    slow.send('headers 1 end |get');
    await until('the window is used up', () => [...sessions][0]?.state.remoteWindowSize === 0);
    return { proxy, sessions, slow };
  }

  it('have others served over a further connection where the window is used up', async (context) => {
    const { proxy, sessions } = await useUp(context, {});
    const answer = await fetchHttp2(openHttp2(context, proxy.port()), { ':path': '/' });
    assert.equal(answer.body.length, large.length);
    assert.equal(sessions.size, 2);
  });

  it('have others wait with them where there may be no further connection', async (context) => {
    const { proxy, sessions, slow } = await useUp(context, one);
    const answer = fetchHttp2(openHttp2(context, proxy.port()), { ':path': '/' });
    await until('the other is on its way', () => proxy.stat('cluster.a.http2.streams_active') === 2);
    slow.socket.destroy();
    assert.equal((await answer).body.length, large.length);
    assert.equal(sessions.size, 1);
  });

  it('leave the connection to the endpoint to the others', async (context) => {
    const { port, sessions } = await startHttp2Upstream(context, (stream) => {
      stream.respond({ ':status': 200 });
      stream.end(large);
    });
    const proxy = await proxyTo(context, port);
    const slow = await openFramePeer(context, proxy.port(), 'settings 4=0');
    slow.send(Array.from({ length: 12 }, (_, i) => `headers ${2 * i + 1} end |get`).join('\n'));
    for (let i = 0; i < 12; i++) await slow.seen(new RegExp(`^HEADERS ${2 * i + 1} `));
    const answer = await fetchHttp2(openHttp2(context, proxy.port()), { ':path': '/' });
    assert.equal(answer.body.length, large.length);
    assert.equal(sessions.size, 1);
    assert.ok(heldBytes.client.bytes > 0);
    slow.socket.destroy();
    await until('nothing is held', () => heldBytes.client.bytes === 0);
  });

  it('leave the connection from the client to the others', async (context) => {
    const stuck = await startFrameUpstream(context, (peer) => peer.send('settings 4=0'));
    const { port } = await startHttp2Upstream(context, (stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        listener('main', httpManager([{ match: { prefix: '/stuck' }, route: { cluster: 'stuck' } }, routeTo('a')])),
      ],
      clusters: [cluster('a', [port], http2()), cluster('stuck', [stuck], http2())],
    }));
    const session = openHttp2(context, proxy.port());
    for (let i = 0; i < 12; i++)
      session
        .request({ ':path': '/stuck', ':method': 'POST' })
        .on('error', () => {})
        .end(large);
    await until('all have come', () => proxy.stat('cluster.stuck.upstream_rq_active') === 12);
    const answer = await fetchHttp2(session, { ':path': '/', ':method': 'POST' }, { body: large });
    assert.equal(answer.body.length, large.length);
    assert.ok(heldBytes.server.bytes > 0);
    session.destroy();
    await until('nothing is held', () => heldBytes.server.bytes === 0);
  });
});

describe('an attempt that was refused', () => {
  it('leaves no time-out behind that ends the next one', async (context) => {
    const clock = new LeapClock();
    let requests = 0;
    const refusing: number[] = [];
    let peer: FramePeer | null = null;
    const port = await startFrameUpstream(context, (found) => {
      peer = found;
      found.send('settings');
      found.onLine = (line) => {
        const id = requestOf(line);
        if (id === null) return;
        if (++requests === 1) refusing.push(id);
        else found.send(`headers ${id} |ok\ndata ${id} |first`);
      };
    });
    const retry = { retry_on: 'refused-stream', num_retries: 2, per_try_timeout: '5s' };
    const proxy = await proxyTo(context, port, { clock, action: { timeout: '60s', retry_policy: retry } });
    const client = await openFramePeer(context, proxy.port());
    client.send('headers 1 end |get');
    await until('the first attempt has come', () => refusing.length === 1);
    (peer as FramePeer | null)?.send(`reset ${refusing[0]} 7`);
    await client.seen(/^DATA 1 /);
    await clock.leap(20_000);
    (peer as FramePeer | null)?.send('data 3 end |last');
    await until('all of it has come', () => client.bodies.get(1) === 'firstlast');
    assert.equal(proxy.stat('cluster.a.upstream_rq_per_try_timeout'), 0);
  });
});

describe('TLS to an endpoint', () => {
  it('offers HTTP/2 by ALPN where a cluster speaks it and names no protocols', async (context) => {
    const port = await startTls(context, {}, (_request, response) => response.end('ok'));
    const proxy = await proxyTo(context, port, { cluster: tls });
    assert.equal(await asker(context, proxy)(), 200);
  });

  it('asks each connection what it speaks, not only the first', async (context) => {
    let connections = 0;
    const options = {
      allowHTTP1: true,
      settings: { maxConcurrentStreams: 3 },
      ALPNCallback: () => (++connections === 1 ? 'h2' : 'http/1.1'),
    };
    const held: Http2ServerResponse[] = [];
    const port = await startTls(context, options, (_request, response) => {
      if (held.push(response) > 4) for (const one of held.splice(0)) one.end('ok');
    });
    const auto = speaking({ auto_config: { http2_protocol_options: {} } });
    const proxy = await proxyTo(context, port, { cluster: { ...auto, ...tls } });
    const ask = asker(context, proxy);
    const answers = [ask()];
    await until('the first has come', () => held.length === 1);
    await until('its limit is known', () => proxy.stat('cluster.a.upstream_cx_http2_total') === 1);
    for (let i = 0; i < 4; i++) answers.push(ask());
    assert.deepEqual(await Promise.all(answers), [200, 200, 200, 200, 200]);
    assert.ok(proxy.stat('cluster.a.upstream_cx_http1_total') > 0);
  });
});

describe('a tunnel', () => {
  const manager: Json = {
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    http2_protocol_options: { allow_connect: true },
  };
  const connect =
    '|:method: CONNECT|:protocol: websocket|:scheme: http|:path: /|:authority: a|sec-websocket-version: 13';

  async function open(
    context: TestContext,
    ends = '',
  ): Promise<{ client: FramePeer; upstream: FramePeer; proxy: TestProxy }> {
    const peers: FramePeer[] = [];
    const port = await startFrameUpstream(context, (peer) => {
      peers.push(peer);
      peer.send('settings 8=1');
    });
    const proxy = await proxyTo(context, port, { manager });
    const client = await openFramePeer(context, proxy.port());
    client.send(`headers 1 ${ends} ${connect}`);
    await until('it has come', () => peers[0]?.lines.some((line) => line.includes('CONNECT')) === true);
    const upstream = peers[0] as FramePeer;
    upstream.send('headers 1 |ok');
    await client.seen(/^HEADERS 1 .*:status=200/);
    return { client, upstream, proxy };
  }

  for (const [name, end] of [
    ['resets it', (peer: FramePeer) => peer.send('reset 1 8')],
    ['closes', (peer: FramePeer) => peer.socket.destroy()],
  ] as const) {
    it(`ends when an endpoint that had ended its side ${name}`, async (context) => {
      const { client, upstream, proxy } = await open(context);
      upstream.send('data 1 end |bye');
      await client.seen(/^DATA 1 .*end/);
      end(upstream);
      await client.seen(/^RST_STREAM 1 /);
      await until('nothing is left', () => proxy.stat('http.test.downstream_rq_active') === 0);
    });
  }

  it('has no length, whatever client and endpoint say', async (context) => {
    const heads: string[] = [];
    const port = await startFrameUpstream(context, (peer) => {
      peer.send('settings 8=1');
      peer.onLine = (line) => {
        if (requestOf(line) === null) return;
        heads.push(line);
        peer.send('headers 1 |ok|content-length: 0');
      };
    });
    const proxy = await proxyTo(context, port, { manager });
    const client = await openClient(context, proxy.port());
    client.request('GET', '/', { connection: 'upgrade', upgrade: 'websocket', 'content-length': '0' });
    const response = await client.response();
    assert.equal(response.status, 101);
    assert.equal(response.headers['content-length'], undefined);
    assert.doesNotMatch(heads[0] ?? '', /content-length/);
  });

  it('whose client ends it with the head passes the end on', async (context) => {
    const { upstream } = await open(context, 'end');
    await upstream.seen(/^DATA 1 .*end/);
  });
});

describe('a connection that ends', () => {
  it('waits for a client that reads slowly, as long as it goes on', async (context) => {
    const body = Buffer.alloc(1_500_000, 'x');
    const upstream = await startUpstream(context, [reply(200, { body })]);
    const clock = new LeapClock();
    const proxy = await proxyTo(context, upstream.port, {
      clock,
      cluster: { typed_extension_protocol_options: {} },
      manager: { common_http_protocol_options: { max_requests_per_connection: 1 } },
    });
    const client = await openFramePeer(context, proxy.port(), 'settings 4=1000000000\nwindow 0 1000000000');
    client.socket.pause();
    client.send('headers 1 end |get');
    await until('the exchange is over', () => proxy.stat('http.test.downstream_rq_completed') === 1);
    for (let i = 0; i < 6; i++) {
      await clock.leap(900);
      client.send('window 0 1');
    }
    client.socket.resume();
    await client.closed();
    assert.equal(client.bodies.get(1)?.length, body.length);
  });
});

const lastSeen: WeakMap<Socket, { waiting: number; looks: number }> = new WeakMap();

/** The kernel has taken nothing of what waits for ten looks. */
function isStill(socket: Socket): boolean {
  const seen = lastSeen.get(socket);
  const waiting = socket.writableLength;
  const looks = seen?.waiting === waiting ? seen.looks + 1 : 0;
  lastSeen.set(socket, { waiting, looks });
  return looks > 10;
}

describe('an endpoint that reads no more', () => {
  it('is closed when it gives no sign of life', async (context) => {
    const sockets: Socket[] = [];
    const port = await startFrameUpstream(context, (peer) => {
      peer.send('settings 4=1000000000\nwindow 0 1000000000');
      sockets.push(peer.socket);
    });
    const keepAlive = { interval: '1s', timeout: '1s', interval_jitter: { value: 0 } };
    const clock = new LeapClock();
    const proxy = await proxyTo(context, port, { clock, cluster: http2({ connection_keepalive: keepAlive }) });
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n');
    await until('it is connected', () => sockets.length === 1);
    sockets[0]?.pause();
    client.socket.write(Buffer.alloc(20_000_000));
    await until('no more is taken', () => isStill(client.socket));
    await clock.leap(5000);
    assert.equal(proxy.stat('cluster.a.http2.keepalive_timeout'), 1);
    await until('its connection is over', () => proxy.stat('cluster.a.upstream_cx_destroy') === 1);
  });
});
