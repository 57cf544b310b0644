// How long connections and exchanges may take, idle or busy, over HTTP/1, over HTTP/2 and behind an upgrade.

import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until, waitFor } from '../../kit/until.ts';
import { echo, type Step, stall, startTcpServer, startUpstream, type Upstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

async function start(
  context: TestContext,
  manager: Json,
  steps: readonly Step[] = [echo()],
  route: Json = {},
): Promise<{ proxy: TestProxy; upstream: Upstream; clock: LeapClock }> {
  const upstream = await startUpstream(context, steps);
  const build = (logPath: string) => ({
    listeners: [listener('main', httpManager([routeTo('a', route)], { manager, logPath }))],
    clusters: [cluster('a', [upstream.port])],
  });
  const clock = new LeapClock();
  return { proxy: await startTestProxy(context, build, clock), upstream, clock };
}

/** One HTTP/2 connection of a client. */
class Http2Peer {
  readonly session: ClientHttp2Session;
  readonly goneAway: Promise<unknown>;

  constructor(context: TestContext, port: number) {
    this.session = connectHttp2(`http://127.0.0.1:${port}`);
    this.session.on('error', () => {});
    this.goneAway = waitFor(this.session, 'goaway');
    this.goneAway.catch(() => {});
    context.after(() => this.session.destroy());
  }

  /** The status of one request. */
  async status(path: string, endStream = true): Promise<number> {
    const stream = this.session.request({ ':path': path, ':method': endStream ? 'GET' : 'POST' }, { endStream });
    stream.on('error', () => {});
    const [headers] = (await waitFor(stream, 'response')) as [IncomingHttpHeaders];
    stream.resume();
    return Number(headers[':status']);
  }
}

const delay: Json = {
  name: 'envoy.filters.http.fault',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    delay: { fixed_delay: '60s', percentage: { numerator: 100 } },
  },
};

const common = (options: Json): Json => ({ common_http_protocol_options: options });

describe('a connection', () => {
  it('of HTTP/1 ends after max_connection_duration, and not before', async (context) => {
    const { proxy, clock } = await start(context, common({ max_connection_duration: '20s' }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).headers.connection, undefined);
    await clock.leap(20_000);
    await client.closed();
    assert.equal(proxy.stat('http.test.downstream_cx_max_duration_reached'), 1);
  });

  it('of HTTP/1 that is busy then ends with the response, which says so', async (context) => {
    const { proxy, upstream, clock } = await start(context, common({ max_connection_duration: '10s' }), [stall()]);
    const client = await openClient(context, proxy.port());
    client.request('GET', '/');
    await upstream.request(1);
    await clock.leap(10_000);
    await until('it is due', () => proxy.stat('http.test.downstream_cx_max_duration_reached') === 1);
    for (const socket of upstream.openSockets) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate');
    const answer = await client.response();
    assert.deepEqual([answer.text, answer.headers.connection], ['late', 'close']);
    await client.closed();
  });

  it('of HTTP/2 is told to go away after max_connection_duration', async (context) => {
    const { proxy, clock } = await start(context, common({ max_connection_duration: '20s' }));
    const peer = new Http2Peer(context, proxy.port());
    assert.equal(await peer.status('/'), 200);
    await clock.leap(20_000);
    await peer.goneAway;
    assert.equal(proxy.stat('http.test.downstream_cx_max_duration_reached'), 1);
  });

  it('of HTTP/1 ends with the last request that it may carry', async (context) => {
    const { proxy } = await start(context, common({ max_requests_per_connection: 2 }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/1')).headers.connection, undefined);
    assert.equal((await client.fetch('GET', '/2')).headers.connection, 'close');
    await client.closed();
    assert.equal(proxy.stat('http.test.downstream_cx_max_requests_reached'), 1);
  });

  it('of HTTP/2 is told to go away with the last request that it may carry', async (context) => {
    const { proxy } = await start(context, common({ max_requests_per_connection: 2 }));
    const peer = new Http2Peer(context, proxy.port());
    assert.deepEqual([await peer.status('/1'), await peer.status('/2')], [200, 200]);
    await peer.goneAway;
    assert.equal(proxy.stat('http.test.downstream_cx_max_requests_reached'), 1);
  });

  it('of HTTP/2 that is idle is told to go away', async (context) => {
    const { proxy } = await start(context, common({ idle_timeout: '0.05s' }));
    const peer = new Http2Peer(context, proxy.port());
    assert.equal(await peer.status('/'), 200);
    await peer.goneAway;
    assert.equal(proxy.stat('http.test.downstream_cx_idle_timeout'), 1);
  });

  it('on which nothing ever comes ends as an idle one', async (context) => {
    const { proxy } = await start(context, common({ idle_timeout: '0.05s' }));
    const client = await openClient(context, proxy.port());
    await client.closed();
  });

  it('on which nothing ever comes ends after max_connection_duration, too', async (context) => {
    const { proxy } = await start(context, common({ max_connection_duration: '0.05s' }));
    const client = await openClient(context, proxy.port());
    await client.closed();
    assert.equal(proxy.stat('http.test.downstream_cx_max_duration_reached'), 1);
  });
});

describe('an exchange', () => {
  it('over HTTP/1 ends after max_stream_duration', async (context) => {
    const { proxy } = await start(context, common({ max_stream_duration: '0.05s' }), [stall()], { timeout: '0s' });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 504);
    assert.match((await proxy.accessLog())[0] ?? '', /max_duration_timeout/);
  });

  for (const [whose, manager, route] of [
    ['of the connection manager', common({ max_stream_duration: '0.05s' }), {}],
    ['of its route', {}, { max_stream_duration: { max_stream_duration: '0.05s' } }],
  ] as const) {
    it(`that a filter holds back ends after max_stream_duration ${whose}`, async (context) => {
      const upstream = await startUpstream(context, [echo()]);
      const proxy = await startTestProxy(context, (logPath) => ({
        listeners: [listener('main', httpManager([routeTo('a', route)], { manager, logPath, filters: [delay] }))],
        clusters: [cluster('a', [upstream.port])],
      }));
      const client = await openClient(context, proxy.port());
      assert.equal((await client.fetch('GET', '/')).status, 504);
      assert.match((await proxy.accessLog())[0] ?? '', /max_duration_timeout/);
      assert.equal(upstream.requests.length, 0);
    });
  }

  it('over HTTP/2 ends after max_stream_duration', async (context) => {
    const { proxy } = await start(context, common({ max_stream_duration: '0.05s' }), [stall()], { timeout: '0s' });
    assert.equal(await new Http2Peer(context, proxy.port()).status('/'), 504);
  });

  it('over HTTP/2 that is idle ends after stream_idle_timeout', async (context) => {
    const { proxy } = await start(context, { stream_idle_timeout: '0.05s' }, [stall()], { timeout: '0s' });
    assert.equal(await new Http2Peer(context, proxy.port()).status('/'), 504);
    assert.match((await proxy.accessLog())[0] ?? '', /^504 SI /);
  });

  it('over HTTP/2 that is idle because its request does not go on gets 408', async (context) => {
    const { proxy } = await start(context, { stream_idle_timeout: '0.05s' }, [stall()]);
    assert.equal(await new Http2Peer(context, proxy.port()).status('/', false), 408);
  });

  it('of which a route knows better goes by its own idle_timeout', async (context) => {
    const route = { timeout: '0s', idle_timeout: '0.05s' };
    const { proxy } = await start(context, { stream_idle_timeout: '60s' }, [stall()], route);
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 504);
  });

  it('over HTTP/1 whose request does not end in request_timeout gets 408', async (context) => {
    const { proxy } = await start(context, { request_timeout: '0.05s' }, [stall()]);
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nab');
    assert.equal((await client.response()).status, 408);
    await client.closed();
  });

  it('over HTTP/2 whose request does not end in request_timeout gets 408', async (context) => {
    const { proxy } = await start(context, { request_timeout: '0.05s' }, [stall()]);
    assert.equal(await new Http2Peer(context, proxy.port()).status('/', false), 408);
  });

  describe('whose response begins before its request has ended', () => {
    async function startTalker(context: TestContext): Promise<{ port: number; clock: LeapClock }> {
      const clock = new LeapClock();
      const port = await startTcpServer(context, (socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n'));
        socket.on('data', (chunk: Buffer) => {
          if (chunk.includes('more?')) socket.write('3\r\nyes\r\n0\r\n\r\n');
        });
      });
      const build = () => ({
        listeners: [listener('main', httpManager([routeTo('a')], { manager: { request_timeout: '5s' } }))],
        clusters: [cluster('a', [port])],
      });
      return { port: (await startTestProxy(context, build, clock)).port(), clock };
    }

    it('goes on past request_timeout over HTTP/1', async (context) => {
      const { port, clock } = await startTalker(context);
      const client = await openClient(context, port);
      client.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
      await until('the response begins', () => client.rest.includes('hi'));
      await clock.leap(10_000);
      client.send('5\r\nmore?\r\n0\r\n\r\n');
      assert.equal((await client.response()).text, 'hiyes');
    });

    it('goes on past request_timeout over HTTP/2', async (context) => {
      const { port, clock } = await startTalker(context);
      const { session } = new Http2Peer(context, port);
      const stream = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false }).setEncoding('utf8');
      let text = '';
      stream.on('data', (chunk: string) => {
        text += chunk;
      });
      await until('the response begins', () => text === 'hi');
      await clock.leap(10_000);
      stream.end('more?');
      await waitFor(stream, 'end');
      assert.equal(text, 'hiyes');
    });
  });
});

describe('an upgrade', () => {
  const accepts: Step = (socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
  };
  const upgrades = { upgrade_configs: [{ upgrade_type: 'x' }] };

  for (const [name, manager] of [
    ['max_stream_duration', common({ max_stream_duration: '0.1s' })],
    ['stream_idle_timeout', { stream_idle_timeout: '0.1s' }],
  ] as const) {
    it(`is ended by ${name}`, async (context) => {
      const { proxy } = await start(context, { ...upgrades, ...manager }, [accepts]);
      const client = await openClient(context, proxy.port());
      client.request('GET', '/', { connection: 'upgrade', upgrade: 'x' });
      assert.equal((await client.response()).status, 101);
      await client.closed();
    });
  }
});
