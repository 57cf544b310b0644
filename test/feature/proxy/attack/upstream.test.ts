// Endpoints that attack the proxy that calls them: each request ends with the right status, the connection too, others are served.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { type ClientResponse, openClient } from '../../../kit/client.ts';
import { FramePeer } from '../../../kit/frame-peer.ts';
import { until } from '../../../kit/until.ts';
import { echo, startTcpServer, startUpstream } from '../../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from '../fixture.ts';

const http2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

type Json = Readonly<Record<string, unknown>>;

interface Attacked {
  readonly proxy: TestProxy;
  /** Asks the endpoint that attacks. */
  ask(): Promise<ClientResponse>;
  /** The endpoint that does not is reached as ever. */
  servesOthers(): Promise<void>;
}

async function open(
  context: TestContext,
  onSocket: (socket: Socket) => void,
  parts: { readonly cluster?: Json; readonly action?: Json } = {},
): Promise<Attacked> {
  const port = await startTcpServer(context, onSocket);
  const good = await startUpstream(context, [echo()]);
  const proxy = await startTestProxy(context, (logPath) => ({
    listeners: [
      listener(
        'main',
        httpManager([{ match: { prefix: '/good' }, route: { cluster: 'good' } }, routeTo('bad', parts.action)], {
          logPath,
        }),
      ),
    ],
    clusters: [cluster('bad', [port], { ...parts.cluster }), cluster('good', [good.port])],
  }));
  const client = await openClient(context, proxy.port());
  const others = await openClient(context, proxy.port());
  return {
    proxy,
    async ask() {
      client.request('GET', '/bad');
      for (;;) {
        const response = await client.response();
        if (response.status >= 200) return response;
      }
    },
    async servesOthers() {
      assert.equal((await others.fetch('GET', '/good')).status, 200);
    },
  };
}

/** Sends without end, as long as it is read. */
function pour(socket: Socket, bytes: Buffer): void {
  const go = (): void => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('drain', go);
  go();
}

const text = (bytes: string, times = 1): Buffer => Buffer.from(bytes.repeat(times), 'latin1');
const ok = 'HTTP/1.1 200 OK\r\n';

interface Http1Attack {
  readonly name: string;
  readonly status: number;
  readonly attack: (socket: Socket) => void;
}

const http1Attacks: readonly Http1Attack[] = [
  {
    name: 'endless 1xx',
    status: 502,
    attack: (socket) => pour(socket, text('HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n', 100)),
  },
  {
    name: 'endless headers',
    status: 502,
    attack: (socket) => {
      socket.write(ok);
      pour(socket, text('a: b\r\n', 1000));
    },
  },
  {
    name: 'one endless header',
    status: 502,
    attack: (socket) => {
      socket.write(`${ok}a: `);
      pour(socket, Buffer.alloc(65_536, 'x'));
    },
  },
  { name: 'bytes that are no HTTP', status: 502, attack: (socket) => pour(socket, text('\x16\x03\x01', 1000)) },
  { name: 'a reset', status: 503, attack: (socket) => socket.resetAndDestroy() },
];

describe('an endpoint of HTTP/1 that sends', () => {
  for (const { name, status, attack } of http1Attacks) {
    it(`${name}: ${status}, and its connection is closed`, async (context) => {
      let closed = 0;
      const scene = await open(context, (socket) => {
        socket.on('close', () => closed++);
        socket.once('data', () => attack(socket));
      });
      assert.equal((await scene.ask()).status, status);
      await until('its connection is closed', () => closed === 1);
      await scene.servesOthers();
      assert.equal(scene.proxy.stat('cluster.bad.upstream_cx_active'), 0);
    });
  }

  it('a response before the request, or a second one behind it, is nobody’s', async (context) => {
    const scene = await open(context, (socket) => {
      socket.on('data', () => socket.write(`${ok}content-length: 5\r\n\r\nfirst${ok}content-length: 6\r\n\r\nsecond`));
    });
    for (let i = 0; i < 3; i++) assert.equal((await scene.ask()).text, 'first');
  });

  it('a body that trickles ends with the time-out of the route', async (context) => {
    const scene = await open(
      context,
      (socket) => {
        const timer = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(timer));
        socket.once('data', () => socket.write(`${ok}content-length: 100000\r\n\r\n`));
      },
      { action: { timeout: '0.2s' } },
    );
    await assert.rejects(scene.ask());
    await until('it is given up', () => scene.proxy.stat('cluster.bad.upstream_cx_active') === 0);
    await scene.servesOthers();
  });
});

interface Http2Attack {
  readonly name: string;
  readonly status: number;
  /** Sent with the connection; `settings` unless it says otherwise. */
  readonly begin?: string;
  /** Sent for a request; `@` is its stream. */
  readonly each?: string;
  /** Frames poured without end for a request. */
  readonly pours?: string;
  readonly stat?: string;
  /** Of the route. */
  readonly timeout?: string;
  /** The code of the GOAWAY that it gets. */
  readonly code?: string;
}

const calm = 'ENHANCE_YOUR_CALM';

const http2Attacks: readonly Http2Attack[] = [
  { name: 'GOAWAY with the connection', status: 503, begin: 'settings\ngoaway 0 0' },
  { name: 'no room for any stream', status: 504, begin: 'settings 3=0', timeout: '0.2s' },
  { name: 'RST_STREAM for everything', status: 503, each: 'reset @ 2', stat: 'rx_reset' },
  { name: 'REFUSED_STREAM for everything', status: 503, each: 'reset @ 7', stat: 'rx_reset' },
  {
    name: 'SETTINGS without end',
    status: 502,
    pours: '100 x settings 4=70000',
    stat: 'outbound_control_flood',
    code: calm,
  },
  { name: 'PING without end', status: 502, pours: '100 x ping', stat: 'outbound_control_flood', code: calm },
  {
    name: 'PRIORITY without end',
    status: 502,
    pours: '100 x priority 1 3',
    stat: 'inbound_priority_frames_flood',
    code: calm,
  },
  {
    name: 'WINDOW_UPDATE without end',
    status: 502,
    pours: '100 x window 0 1',
    stat: 'inbound_window_update_frames_flood',
    code: calm,
  },
  {
    name: '1xx without end',
    status: 502,
    pours: 'headers @ |:status: 103',
    stat: 'inbound_empty_frames_flood',
    code: calm,
  },
  {
    name: 'CONTINUATION without end',
    status: 502,
    each: 'headers @ open |ok',
    pours: 'continuation @ open |a: b',
    stat: 'header_overflow',
    code: calm,
  },
  { name: 'GOAWAY without end', status: 502, pours: '100 x goaway 2147483647 0' },
  { name: 'PUSH_PROMISE', status: 502, each: 'frame 5 4 @ 00000002', code: 'PROTOCOL_ERROR' },
  { name: 'a frame too large', status: 502, each: 'data @ size=20000', code: 'FRAME_SIZE_ERROR' },
  { name: 'a broken header block', status: 502, each: 'headers @ end hex=ff', code: 'COMPRESSION_ERROR' },
  { name: 'a window past its largest', status: 502, each: 'window 0 2147483647', code: 'FLOW_CONTROL_ERROR' },
  { name: 'DATA before a head', status: 502, each: 'data @ |x', stat: 'rx_messaging_error' },
  { name: 'a name in upper case', status: 502, each: 'headers @ end |ok|Bad: 1', stat: 'rx_messaging_error' },
  { name: 'connection', status: 502, each: 'headers @ end |ok|connection: close', stat: 'rx_messaging_error' },
  {
    name: 'more headers than allowed',
    status: 502,
    each: `headers @ end |ok|${'a: 1|'.repeat(100)}b: 1`,
    stat: 'header_overflow',
  },
];

async function openHttp2(
  context: TestContext,
  one: Omit<Http2Attack, 'name' | 'status'>,
): Promise<Attacked & { peers: FramePeer[] }> {
  const peers: FramePeer[] = [];
  const scene = await open(
    context,
    (socket) => {
      const peer = new FramePeer(socket, 'server');
      peers.push(peer);
      peer.send(one.begin ?? 'settings');
      peer.onLine = (line) => {
        const id = /^HEADERS (\d+) /.exec(line)?.[1];
        if (id === undefined) return;
        if (one.each !== undefined) peer.send(one.each.replaceAll('@', id));
        if (one.pours !== undefined) peer.pour(one.pours.replaceAll('@', id));
      };
    },
    { cluster: http2, ...(one.timeout === undefined ? {} : { action: { timeout: one.timeout } }) },
  );
  return { ...scene, peers };
}

describe('an endpoint of HTTP/2 that sends', () => {
  for (const { name, status, stat, code, ...parts } of http2Attacks) {
    it(`${name}: ${status}`, async (context) => {
      const scene = await openHttp2(context, parts);
      assert.equal((await scene.ask()).status, status);
      if (code !== undefined) await scene.peers[0]?.seen(new RegExp(`^GOAWAY 0 ${code}$`));
      if (stat !== undefined) assert.ok(scene.proxy.stat(`cluster.bad.http2.${stat}`) >= 1, stat);
      await scene.servesOthers();
      assert.equal(scene.proxy.stat('cluster.bad.upstream_rq_active'), 0);
      assert.equal(scene.proxy.stat('cluster.bad.http2.streams_active'), 0);
    });
  }

  it('DATA beyond the window of a stream is told so, and left when it goes on', async (context) => {
    const scene = await openHttp2(context, { each: 'headers @ |ok', pours: '64 x data @ size=16384' });
    const client = await openClient(context, scene.proxy.port());
    client.socket.pause();
    client.request('GET', '/bad');
    await until('it is asked', () => scene.peers.length === 1);
    const [peer] = scene.peers;
    await peer?.seen(/^(?:RST_STREAM \d+|GOAWAY 0) FLOW_CONTROL_ERROR$/);
    await peer?.closed();
    await scene.servesOthers();
  });

  it('nothing that it could take: a request waits for its window, and no longer than the route allows', async (context) => {
    const scene = await openHttp2(context, { begin: 'settings 4=0', timeout: '0.2s' });
    const client = await openClient(context, scene.proxy.port());
    client.request('POST', '/bad', {}, 'x'.repeat(100_000));
    assert.equal((await client.response()).status, 504);
    await scene.servesOthers();
    assert.equal(scene.proxy.stat('cluster.bad.upstream_rq_active'), 0);
  });

  it('no answer to PING, where one is asked for, is closed', async (context) => {
    const options = { connection_keepalive: { interval: '0.1s', timeout: '0.1s', interval_jitter: { value: 0 } } };
    const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
    const typed = http2.typed_extension_protocol_options[name];
    const scene = await open(context, (socket) => new FramePeer(socket, 'server').send('settings'), {
      cluster: {
        typed_extension_protocol_options: {
          [name]: { ...typed, explicit_http_config: { http2_protocol_options: options } },
        },
      },
    });
    assert.equal((await scene.ask()).status, 503);
    assert.equal(scene.proxy.stat('cluster.bad.http2.keepalive_timeout'), 1);
  });
});
