// HTTP/2 clients that take their time, for ever: each is told so and leaves nothing behind.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type FramePeer, openFramePeer } from '../../../kit/frame-peer.ts';
import { LeapClock } from '../../../kit/leap-clock.ts';
import { until } from '../../../kit/until.ts';
import { reply } from '../../../kit/upstream.ts';
import { type Scene, type SceneParts, startScene } from './scene.ts';

interface SlowScene {
  readonly scene: Scene;
  readonly clock: LeapClock;
  readonly client: FramePeer;
}

async function open(context: TestContext, parts: SceneParts = {}, settings = 'settings'): Promise<SlowScene> {
  const clock = new LeapClock();
  const scene = await startScene(context, { ...parts, clock });
  const client = await openFramePeer(context, scene.port, settings);
  await client.seen(/^SETTINGS$/);
  return { scene, clock, client };
}

describe('an HTTP/2 client that does not finish', () => {
  const cases: readonly (readonly [name: string, cut: (client: FramePeer) => void, code: string])[] = [
    ['a frame', (client) => client.socket.write(Buffer.from('000020010400000001', 'hex')), 'ENHANCE_YOUR_CALM'],
    ['a header block', (client) => client.send('headers 1 open |get'), 'ENHANCE_YOUR_CALM'],
  ];
  for (const [name, cut, code] of cases) {
    it(`${name} is told so after request_headers_timeout`, async (context) => {
      const { scene, clock, client } = await open(context, { manager: { request_headers_timeout: '3s' } });
      cut(client);
      await client.seen(/^SETTINGS ack$/);
      await clock.leap(3_000);
      assert.equal(
        client.lines.some((line) => line.startsWith('GOAWAY')),
        false,
      );
      await clock.leap(2_000);
      await client.seen(new RegExp(`^GOAWAY 0 ${code}$`));
      await scene.isClear();
    });
  }

  it('its preface is cut off after request_headers_timeout', async (context) => {
    const clock = new LeapClock();
    const scene = await startScene(context, { clock });
    const half = await openFramePeer(context, scene.port, '');
    await half.seen(/^SETTINGS$/);
    await clock.leap(17_000);
    await half.seen(/^GOAWAY 0 SETTINGS_TIMEOUT$/);
    await half.closed();
    await scene.isClear();
  });

  it('its body is answered 408 after request_timeout', async (context) => {
    const { scene, clock, client } = await open(context, { manager: { request_timeout: '5s' } });
    client.send('headers 1 |post\ndata 1 |slow');
    await until('the request is there', () => scene.proxy.stat('http2.streams_active') === 1);
    await clock.leap(7_000);
    await client.seen(/^HEADERS 1 .*:status=408/);
    assert.equal(scene.proxy.stat('http.test.downstream_rq_timeout'), 1);
  });

  it('its body is reset or answered after stream_idle_timeout, though others of its streams go on', async (context) => {
    const { scene, clock, client } = await open(context, { manager: { stream_idle_timeout: '5s' } });
    client.send('headers 1 |post\ndata 1 |slow');
    await until('the request is there', () => scene.proxy.stat('http2.streams_active') === 1);
    await clock.leap(7_000);
    await client.seen(/^HEADERS 1 .*:status=408/);
    assert.equal(scene.proxy.stat('http.test.downstream_rq_idle_timeout'), 1);
    client.send('headers 3 end |get');
    await client.seen(/^HEADERS 3 .*:status=200/);
  });
});

describe('an HTTP/2 client that keeps its windows shut', () => {
  const body = 'x'.repeat(50_000);

  it('loses streams whose response it does not take for stream_idle_timeout, with memory bounded until then', async (context) => {
    const parts = { steps: [reply(200, { body })], manager: { stream_idle_timeout: '60s' } };
    const { scene, clock, client } = await open(context, parts, 'settings 4=0');
    client.send(Array.from({ length: 100 }, (_, i) => `headers ${2 * i + 1} end |get`).join('\n'));
    await client.seen(/^HEADERS 199 .*:status=200/);
    await until('all came from the endpoint', () => scene.proxy.stat('cluster.web.upstream_rq_active') === 0);
    assert.equal(scene.proxy.stat('http2.streams_active'), 100);
    await clock.leap(59_000);
    assert.equal(scene.proxy.stat('http2.tx_flush_timeout'), 0);
    await clock.leap(3_000);
    assert.equal(scene.proxy.stat('http2.tx_flush_timeout'), 100);
    assert.equal(scene.proxy.stat('http2.streams_active'), 0);
    await client.seen(/^RST_STREAM 1 CANCEL$/);
  });

  it('loses them after idle_timeout where streams may be idle for ever', async (context) => {
    const parts = { steps: [reply(200, { body })], manager: { stream_idle_timeout: '0s' } };
    const { scene, clock, client } = await open(context, parts, 'settings 4=0');
    client.send('headers 1 end |get');
    await client.seen(/^HEADERS 1 .*:status=200/);
    await until('it came from the endpoint', () => scene.proxy.stat('cluster.web.upstream_rq_active') === 0);
    await clock.leap(3602_000);
    assert.equal(scene.proxy.stat('http2.tx_flush_timeout'), 1);
    await client.seen(/^RST_STREAM 1 CANCEL$/);
  });

  it('holds back an endpoint that has more to send', async (context) => {
    const parts = { steps: [reply(200, { body: 'x'.repeat(8_000_000) })] };
    const { scene, client } = await open(context, parts, 'settings 4=0');
    client.send('headers 1 end |get');
    await client.seen(/^HEADERS 1 .*:status=200/);
    await scene.servesOthers();
    assert.ok(scene.proxy.stat('cluster.web.upstream_cx_rx_bytes_total') < 4_000_000);
  });
});

describe('a connection of HTTP/2', () => {
  it('ends when its client does not answer PINGs', async (context) => {
    const keepalive = { interval: '10s', timeout: '2s', interval_jitter: { value: 0 } };
    const { scene, clock, client } = await open(context, {
      manager: { http2_protocol_options: { connection_keepalive: keepalive } },
    });
    await clock.leap(10_100);
    await client.seen(/^PING$/);
    client.send('frame 6 1 0 0000000000000000');
    await scene.servesOthers();
    await until('the answer was read', () => scene.proxy.stat('http.test.downstream_cx_active') === 2);
    client.lines.length = 0;
    await clock.leap(10_100);
    await client.seen(/^PING$/);
    await clock.leap(2100);
    await client.closed();
    assert.equal(scene.proxy.stat('http2.keepalive_timeout'), 1);
    await scene.isClear();
  });

  it('is drained by GOAWAY after max_connection_duration', async (context) => {
    const { scene, clock, client } = await open(context, {
      manager: { common_http_protocol_options: { max_connection_duration: '30s' } },
    });
    await clock.leap(32_000);
    await client.seen(/^GOAWAY 2147483647 NO_ERROR$/);
    await clock.leap(2_000);
    await client.seen(/^GOAWAY 0 NO_ERROR$/);
    assert.equal(scene.proxy.stat('http.test.downstream_cx_max_duration_reached') >= 1, true);
  });

  it('is drained by GOAWAY after max_requests_per_connection', async (context) => {
    const { scene, clock, client } = await open(context, {
      manager: { common_http_protocol_options: { max_requests_per_connection: 2 } },
    });
    client.send('headers 1 end |get\nheaders 3 end |get');
    await client.seen(/^GOAWAY 2147483647 NO_ERROR$/);
    await client.seen(/^HEADERS 3 .*:status=200/);
    await clock.leap(2_000);
    await client.seen(/^GOAWAY 3 NO_ERROR$/);
    await client.closed();
    assert.equal(scene.proxy.stat('http.test.downstream_cx_max_requests_reached'), 1);
  });

  it('is closed when it never says anything, after idle_timeout', async (context) => {
    const { scene, clock, client } = await open(context, {
      manager: { common_http_protocol_options: { idle_timeout: '20s' } },
    });
    await clock.leap(24_000);
    await client.closed();
    assert.equal(scene.proxy.stat('http.test.downstream_cx_idle_timeout') >= 1, true);
  });
});

describe('an HTTP/2 client that says goodbye', () => {
  it('is answered what it asks for behind its GOAWAY, and then the connection ends', async (context) => {
    const { scene, clock, client } = await open(context);
    client.send('goaway 0 0\nheaders 1 end |get');
    await client.seen(/^HEADERS 1 .*:status=200/);
    client.send('headers 3 end |get');
    await client.seen(/^HEADERS 3 .*:status=200/);
    await clock.leap(1_000);
    await client.seen(/^GOAWAY 3 NO_ERROR$/);
    client.socket.end();
    await client.closed();
    await scene.isClear();
  });
});
