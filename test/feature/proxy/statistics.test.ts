// What the statistics of a cluster say about its connections and requests.

import assert from 'node:assert/strict';
import { connect as connectHttp2, constants } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { startHttp2Upstream } from '../../kit/http2-server.ts';
import { until, waitFor } from '../../kit/until.ts';
import { closedPort, echo, raw, reply, reset, type Step, stall, startUpstream } from '../../kit/upstream.ts';
import {
  cluster,
  http2Only,
  httpManager,
  listener,
  routeTo,
  startTestProxy,
  type TestProxy,
  tcpProxy,
} from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

// Without `connection: close`, so that it is not the proxy that closes first.
const answerAndClose: Step = (socket) => {
  socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
};

interface Parts {
  readonly action?: Json;
  readonly cluster?: Json;
  readonly port?: number;
}

async function proxyWith(context: TestContext, steps: readonly Step[], parts: Parts = {}): Promise<TestProxy> {
  const upstream = await startUpstream(context, steps);
  return startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', parts.action)])), listener('tcp', tcpProxy('a'))],
    clusters: [cluster('a', [parts.port ?? upstream.port], parts.cluster)],
  }));
}

/** Counters of the cluster, without its prefix. */
function stats(proxy: TestProxy, ...names: string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, proxy.stat(`cluster.a.${name}`)]));
}

async function untilStat(proxy: TestProxy, name: string, value: number): Promise<void> {
  await until(`${name} is ${value}`, () => proxy.stat(`cluster.a.${name}`) === value);
}

function http1Options(common: Json): Json {
  const type = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const options = {
    '@type': `type.googleapis.com/${type}`,
    common_http_protocol_options: common,
    explicit_http_config: { http_protocol_options: {} },
  };
  return { typed_extension_protocol_options: { [type]: options } };
}

describe('statistics of upstream connections', () => {
  it('tell how many there were, how long connecting took, and bytes of open ones when asked', async (context) => {
    const proxy = await proxyWith(context, [reply(200, { body: 'four' })]);
    const client = await openClient(context, proxy.port());
    await client.fetch('POST', '/', {}, 'x'.repeat(1000));
    assert.deepEqual(stats(proxy, 'upstream_cx_http1_total', 'upstream_cx_http2_total', 'upstream_cx_rx_bytes_total'), {
      upstream_cx_http1_total: 1,
      upstream_cx_http2_total: 0,
      upstream_cx_rx_bytes_total: 0,
    });
    const page = (await proxy.admin('GET', '/stats')).body;
    assert.match(page, /^cluster\.a\.upstream_cx_rx_bytes_total: [4-9]\d$/m);
    assert.match(page, /^cluster\.a\.upstream_cx_tx_bytes_total: 1[0-9]{3}$/m);
    const again = (await proxy.admin('GET', '/stats')).body;
    assert.equal(/rx_bytes_total: \d+/.exec(again)?.[0], /rx_bytes_total: \d+/.exec(page)?.[0]);
    assert.match(
      (await proxy.admin('GET', '/stats/prometheus')).body,
      /upstream_cx_connect_ms_count\{[^}]*"a"[^}]*\} 1/,
    );
  });

  it('tell which side ended them, and whether a request was under way', async (context) => {
    const proxy = await proxyWith(context, [answerAndClose, reset(), stall()], {
      action: { timeout: '0.05s' },
    });
    const names = ['upstream_cx_destroy_local', 'upstream_cx_destroy_remote', 'upstream_cx_destroy_with_active_rq'];
    // As Envoy: HTTP/1 has no streams to reset.
    const resets = ['upstream_rq_rx_reset', 'upstream_rq_tx_reset'];
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 200);
    await untilStat(proxy, 'upstream_cx_destroy', 1);
    assert.deepEqual(Object.values(stats(proxy, ...names, ...resets)), [0, 1, 0, 0, 0]);
    assert.equal((await client.fetch('POST', '/', {}, 'x')).status, 503);
    await untilStat(proxy, 'upstream_cx_destroy', 2);
    assert.deepEqual(Object.values(stats(proxy, ...names, ...resets)), [0, 2, 1, 0, 0]);
    assert.equal((await client.fetch('GET', '/')).status, 504);
    await untilStat(proxy, 'upstream_cx_destroy', 3);
    assert.deepEqual(Object.values(stats(proxy, ...names, ...resets)), [1, 2, 2, 0, 0]);
  });

  it('tell which limit ended them', async (context) => {
    const requests = await proxyWith(context, [echo()], { cluster: http1Options({ max_requests_per_connection: 2 }) });
    const first = await openClient(context, requests.port());
    for (let i = 0; i < 4; i++) await first.fetch('GET', '/');
    await untilStat(requests, 'upstream_cx_max_requests', 2);

    const idle = await proxyWith(context, [echo()], { cluster: http1Options({ idle_timeout: '0.05s' }) });
    await (await openClient(context, idle.port())).fetch('GET', '/');
    await untilStat(idle, 'upstream_cx_idle_timeout', 1);
    await untilStat(idle, 'upstream_cx_destroy_local', 1);

    const aged = await proxyWith(context, [echo()], { cluster: http1Options({ max_connection_duration: '0.001s' }) });
    const last = await openClient(context, aged.port());
    const passed = performance.now() + 20;
    await last.fetch('GET', '/');
    await until('the connection has aged', () => performance.now() > passed);
    await last.fetch('GET', '/');
    await until('its age is noticed', () => aged.stat('cluster.a.upstream_cx_max_duration_reached') > 0);
  });

  it('count responses that are none', async (context) => {
    const proxy = await proxyWith(context, [raw('220 mail.example ESMTP\r\n\r\n')]);
    assert.equal((await (await openClient(context, proxy.port())).fetch('GET', '/')).status, 502);
    assert.equal(proxy.stat('cluster.a.upstream_cx_protocol_error'), 1);
  });

  it('include those of the TCP proxy', async (context) => {
    const proxy = await proxyWith(context, [echo()]);
    const client = await openClient(context, proxy.port('tcp'));
    await client.fetch('GET', '/');
    client.socket.end();
    await untilStat(proxy, 'upstream_cx_destroy', 1);
    assert.ok(proxy.stat('cluster.a.upstream_cx_rx_bytes_total') > 40);
  });
});

describe('statistics of upstream requests', () => {
  it('count those that waited for a connection that failed', async (context) => {
    const proxy = await proxyWith(context, [], { port: await closedPort() });
    await (await openClient(context, proxy.port())).fetch('GET', '/');
    assert.equal(proxy.stat('cluster.a.upstream_rq_pending_failure_eject'), 1);
    assert.equal(proxy.stat('cluster.a.upstream_rq_total'), 0);
  });

  it('count as sent what was sent, and as an error of the host what could not be', async (context) => {
    const port = await closedPort();
    const proxy = await proxyWith(context, [], { port });
    await (await openClient(context, proxy.port())).fetch('GET', '/');
    assert.deepEqual(stats(proxy, 'upstream_rq_total', 'upstream_rq_active', 'upstream_rq_503'), {
      upstream_rq_total: 0,
      upstream_rq_active: 0,
      upstream_rq_503: 1,
    });
    const page = (await proxy.admin('GET', '/clusters')).body;
    const counts = ['rq_total', 'rq_error', 'rq_success', 'cx_connect_fail'].map(
      (name) => new RegExp(`^a::127\\.0\\.0\\.1:${port}::${name}::(\\d+)$`, 'm').exec(page)?.[1],
    );
    assert.deepEqual(counts, ['0', '1', '0', '1']);
  });

  it('count those that were given up while they waited', async (context) => {
    const limits = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
    const proxy = await proxyWith(context, [stall()], { cluster: limits, action: { timeout: '0s' } });
    const [first, second] = [await openClient(context, proxy.port()), await openClient(context, proxy.port())];
    first.request('GET', '/');
    await untilStat(proxy, 'upstream_cx_http1_total', 1);
    second.request('GET', '/');
    await untilStat(proxy, 'upstream_rq_pending_active', 1);
    second.socket.destroy();
    await untilStat(proxy, 'upstream_rq_cancelled', 1);
    assert.equal(proxy.stat('cluster.a.upstream_rq_tx_reset'), 0);
  });

  it('count pauses before retries', async (context) => {
    const retry_policy = { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } };
    const proxy = await proxyWith(context, [reply(503)], { action: { retry_policy } });
    await (await openClient(context, proxy.port())).fetch('GET', '/');
    assert.equal(proxy.stat('cluster.a.upstream_rq_retry_backoff_exponential'), 2);
  });

  it('count how often a slow client held the endpoint back', async (context) => {
    const body = Buffer.alloc(16 * 1024 * 1024, 'x');
    const proxy = await proxyWith(context, [reply(200, { body })]);
    const client = await openClient(context, proxy.port());
    client.request('GET', '/');
    client.socket.pause();
    await until('reading is paused', () => proxy.stat('cluster.a.upstream_flow_control_paused_reading_total') > 0);
    client.socket.resume();
    assert.equal((await client.response(20_000)).body.length, body.length);
    const { upstream_flow_control_paused_reading_total: paused, upstream_flow_control_resumed_reading_total: resumed } =
      stats(proxy, 'upstream_flow_control_paused_reading_total', 'upstream_flow_control_resumed_reading_total');
    assert.equal(resumed, paused);
  });
});

it('trailers are counted where a client sends them, and not those of responses', async (context) => {
  const upstream = await startHttp2Upstream(context, (stream) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': '1' }));
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.resume().end('body');
  });
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a')]))],
    clusters: [cluster('a', [upstream.port], http2Only)],
  }));
  const session = connectHttp2(`http://127.0.0.1:${proxy.port()}`);
  context.after(() => session.destroy());
  for (const hasTrailers of [false, true]) {
    const stream = session.request({ ':method': 'POST', ':authority': 'a' }, { waitForTrailers: hasTrailers });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': '1' }));
    stream.resume().end('body');
    await waitFor(stream, 'close');
    assert.equal(proxy.stat('http2.trailers'), hasTrailers ? 1 : 0);
    assert.equal(proxy.stat('cluster.a.http2.trailers'), 0);
  }
});

it('resets of streams are counted, and not closed connections or refusals', async (context) => {
  const upstream = await startHttp2Upstream(context, (stream, headers) => {
    const path = headers[':path'];
    if (path === '/reset') stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else if (path === '/refuse') stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else if (path === '/close') stream.session?.destroy();
  });
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', { timeout: '0.1s' })]))],
    clusters: [cluster('a', [upstream.port], http2Only)],
  }));
  const client = await openClient(context, proxy.port());
  const resets = ['upstream_rq_rx_reset', 'upstream_rq_tx_reset'];
  for (const [path, status, rx, tx] of [
    ['/refuse', 503, 0, 0],
    ['/close', 503, 0, 0],
    ['/reset', 503, 1, 0],
    ['/silence', 504, 1, 1],
  ] as const) {
    assert.equal((await client.fetch('POST', path, {}, 'x')).status, status, path);
    assert.deepEqual(Object.values(stats(proxy, ...resets)), [rx, tx], path);
  }
});

it('requests to a cluster that there is not are counted', async (context) => {
  const proxy = await startTestProxy(context, () => ({
    listeners: [
      listener('main', httpManager([{ match: { prefix: '/' }, route: { cluster_header: 'x-to' } }])),
      listener('none', httpManager([], { manager: { stat_prefix: 'none' } })),
    ],
    clusters: [],
  }));
  const client = await openClient(context, proxy.port());
  for (const headers of [{ 'x-to': 'nowhere' }, {}])
    assert.equal((await client.fetch('GET', '/', headers)).status, 503);
  assert.equal(proxy.stat('http.test.no_cluster'), 2);
  assert.equal((await (await openClient(context, proxy.port('none'))).fetch('GET', '/')).status, 404);
  assert.deepEqual([proxy.stat('http.none.no_cluster'), proxy.stat('http.none.no_route')], [0, 1]);
});
