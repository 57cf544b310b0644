// What gRPC callers get from the real proxy: retries on gRPC statuses, deadlines, local replies, statistics of methods.

import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { frame } from '../../kit/grpc-message.ts';
import { fetchHttp2, type Http2Response, openHttp2 } from '../../kit/http2-client.ts';
import { startHttp2Upstream } from '../../kit/http2-server.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { waitFor } from '../../kit/until.ts';
import { closedPort } from '../../kit/upstream.ts';
import { cluster, http2Only, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;
/** How the server answers a call. */
type Answer = (stream: ServerHttp2Stream) => void;

const grpcHead = { ':status': 200, 'content-type': 'application/grpc' };

function trailersOnly(status: number): Answer {
  return (stream) => stream.respond({ ...grpcHead, 'grpc-status': String(status) }, { endStream: true });
}

function message(status: number): Answer {
  return (stream) => {
    stream.respond(grpcHead, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status) }));
    stream.end(frame('answer'));
  };
}

const silence: Answer = () => {};

interface Scene {
  readonly proxy: TestProxy;
  /** Heads of the calls that reached the server. */
  readonly calls: IncomingHttpHeaders[];
  ask(headers?: OutgoingHttpHeaders): Promise<Http2Response>;
}

/** A server that answers by the script, its last step again and again, and one caller. */
async function play(
  context: TestContext,
  script: readonly Answer[],
  action: Json = {},
  more: { filters?: Json[]; cluster?: Json } = {},
): Promise<Scene> {
  const calls: IncomingHttpHeaders[] = [];
  const { port } = await startHttp2Upstream(context, (stream, headers) => {
    calls.push(headers);
    stream.resume();
    script[Math.min(calls.length, script.length) - 1]?.(stream);
  });
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', action)], { filters: more.filters ?? [] }))],
    clusters: [cluster('a', [port], { ...http2Only, ...more.cluster })],
  }));
  const session = openHttp2(context, proxy.port());
  return { proxy, calls, ask: (headers) => call(session, headers) };
}

function call(session: ReturnType<typeof openHttp2>, headers: OutgoingHttpHeaders = {}): Promise<Http2Response> {
  const head = { ':method': 'POST', ':path': '/shop.v1.Cart/Add', 'content-type': 'application/grpc', te: 'trailers' };
  return fetchHttp2(session, { ...head, ...headers }, { body: frame('question') });
}

const grpcWeb = {
  name: 'envoy.filters.http.grpc_web',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb' },
};
const fast = { retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' } };

describe('gRPC retries', () => {
  const words = [
    ['cancelled', 1],
    ['deadline-exceeded', 4],
    ['resource-exhausted', 8],
    ['internal', 13],
    ['unavailable', 14],
  ] as const;
  for (const [word, status] of words) {
    it(`repeat a call that ends with ${word} before any message`, async (context) => {
      const retry_policy = { retry_on: word, num_retries: 2, ...fast };
      const { calls, ask, proxy } = await play(context, [trailersOnly(status), message(0)], { retry_policy });
      const response = await ask();
      assert.deepEqual([response.trailers['grpc-status'], response.body], ['0', frame('answer')]);
      assert.equal(calls.length, 2);
      assert.equal(proxy.stat('cluster.a.upstream_rq_retry'), 1);
    });
  }

  it('leave other statuses alone', async (context) => {
    const retry_policy = { retry_on: 'unavailable', num_retries: 2, ...fast };
    const { calls, ask } = await play(context, [trailersOnly(5)], { retry_policy });
    assert.equal((await ask()).headers['grpc-status'], '5');
    assert.equal(calls.length, 1);
  });

  it('leave a call alone whose rate is limited, unless the policy says envoy-ratelimited', async (context) => {
    const limited: Answer = (stream) => {
      stream.respond({ ...grpcHead, 'grpc-status': '8', 'x-envoy-ratelimited': 'true' }, { endStream: true });
    };
    for (const [retry_on, count] of [
      ['resource-exhausted', 1],
      ['resource-exhausted,envoy-ratelimited', 3],
    ] as const) {
      const { calls, ask } = await play(context, [limited], { retry_policy: { retry_on, num_retries: 2, ...fast } });
      assert.equal((await ask()).headers['grpc-status'], '8');
      assert.equal(calls.length, count);
    }
  });

  it('come too late for a status in the trailers', async (context) => {
    const retry_policy = { retry_on: 'unavailable', num_retries: 2, ...fast };
    const { calls, ask } = await play(context, [message(14)], { retry_policy });
    assert.equal((await ask()).trailers['grpc-status'], '14');
    assert.equal(calls.length, 1);
  });

  it('are done when the call asks for them, without telling the server', async (context) => {
    const { calls, ask } = await play(context, [trailersOnly(14), trailersOnly(14), message(0)]);
    const response = await ask({ 'x-envoy-retry-grpc-on': 'unavailable', 'x-envoy-max-retries': '2' });
    assert.equal(response.trailers['grpc-status'], '0');
    assert.equal(calls.length, 3);
    for (const name of ['x-envoy-retry-grpc-on', 'x-envoy-max-retries']) assert.equal(calls[2]?.[name], undefined);
  });

  it('end with the last status when they are used up', async (context) => {
    const retry_policy = { retry_on: 'unavailable', num_retries: 1, ...fast };
    const { calls, ask } = await play(context, [trailersOnly(14)], { retry_policy });
    assert.equal((await ask()).headers['grpc-status'], '14');
    assert.equal(calls.length, 2);
  });
});

describe('gRPC deadlines', () => {
  it('of the caller end the call, within the limit of the route', async (context) => {
    const { calls, ask } = await play(context, [silence], { timeout: '60s', max_grpc_timeout: '10s' });
    const response = await ask({ 'grpc-timeout': '50m' });
    assert.deepEqual([response.status, response.headers['grpc-status']], [200, '4']);
    assert.equal(calls[0]?.['grpc-timeout'], '50m');
  });

  it('beyond the limit are cut to it, and the server learns what is left', async (context) => {
    const { calls, ask } = await play(context, [silence], { timeout: '60s', max_grpc_timeout: '0.05s' });
    assert.equal((await ask({ 'grpc-timeout': '10S' })).headers['grpc-status'], '4');
    assert.equal(calls[0]?.['grpc-timeout'], '50m');
  });

  it('leave the caller’s own timer the first word by an offset', async (context) => {
    const action = { max_grpc_timeout: '0s', grpc_timeout_offset: '0.2s' };
    const { calls, ask } = await play(context, [message(0)], action);
    await ask({ 'grpc-timeout': '3S' });
    assert.equal(calls[0]?.['grpc-timeout'], '2800m');
  });

  it('limit the whole stream by max_stream_duration', async (context) => {
    const max_stream_duration = { grpc_timeout_header_max: '0.05s' };
    const { ask } = await play(context, [(stream) => stream.respond(grpcHead)], { timeout: '0s', max_stream_duration });
    await assert.rejects(ask({ 'grpc-timeout': '10S' }), /closed with code|NGHTTP2|Stream closed/);
  });

  it('within max_stream_duration are told to the server too, and those that callers leave out', async (context) => {
    const max_stream_duration = { max_stream_duration: '7s', grpc_timeout_header_max: '5s' };
    const { calls, ask } = await play(context, [message(0)], { timeout: '0s', max_stream_duration });
    for (const asked of ['10S', '3S', undefined]) {
      await ask(asked === undefined ? {} : { 'grpc-timeout': asked });
    }
    await ask({ 'content-type': 'text/plain', 'grpc-timeout': '10S' });
    assert.deepEqual(
      calls.map((head) => head['grpc-timeout']),
      ['5000m', '3S', '7000m', '10S'],
    );
  });

  it('that max_stream_duration sets are told less the time for which a filter held the call', async (context) => {
    const fault: Json = {
      name: 'envoy.filters.http.fault',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
        delay: { fixed_delay: '0.5s', percentage: { numerator: 100 } },
      },
    };
    const max_stream_duration = { max_stream_duration: '7s' };
    const { calls, ask } = await play(context, [message(0)], { max_stream_duration }, { filters: [fault] });
    await ask();
    const toldMs = Number.parseInt(calls[0]?.['grpc-timeout'] as string, 10);
    assert.ok(toldMs > 5000 && toldMs <= 6500, String(toldMs));
  });

  it('do not come out of nothing: a stream may go on for as long as max_stream_duration says, or for ever', async (context) => {
    const clock = new LeapClock();
    const streams: ServerHttp2Stream[] = [];
    const { port } = await startHttp2Upstream(context, (stream) => {
      streams.push(stream);
      stream.respond(grpcHead);
    });
    const route = (path: string, max_stream_duration: Json): Json => ({
      match: { path },
      route: { cluster: 'a', max_stream_duration },
    });
    const routes = [
      route('/s/Watch', { grpc_timeout_header_max: '0s' }),
      route('/s/Hour', { max_stream_duration: '3600s' }),
    ];
    const build = () => ({
      listeners: [listener('main', httpManager(routes, { manager: { stream_idle_timeout: '0s' } }))],
      clusters: [cluster('a', [port], http2Only)],
    });
    const session = openHttp2(context, (await startTestProxy(context, build, clock)).port());
    const open = (path: string) => {
      const head = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
      return session.request(head, { endStream: true });
    };
    const [watch, hour] = [open('/s/Watch'), open('/s/Hour')];
    hour.on('error', () => {});
    await Promise.all([waitFor(watch, 'response'), waitFor(hour, 'response')]);
    await clock.leap(60_000);
    for (const stream of streams) stream.write(frame('still here'));
    for (const stream of [watch, hour]) assert.deepEqual((await waitFor(stream, 'data'))[0], frame('still here'));
    const ended = new Promise((resolve) => hour.once('close', resolve));
    await clock.leap(3_600_000);
    await ended;
    assert.equal(watch.closed, false);
    watch.close();
  });

  it('that have passed already end the call at once, where max_stream_duration limits them', async (context) => {
    for (const grpc_timeout_header_max of ['60s', '0s']) {
      const { ask } = await play(context, [silence], {
        timeout: '0s',
        max_stream_duration: { grpc_timeout_header_max },
      });
      assert.equal((await ask({ 'grpc-timeout': '0m' })).headers['grpc-status'], '4');
    }
  });

  it('do not concern a route that does not name them', async (context) => {
    const { calls, ask } = await play(context, [message(0)], { timeout: '60s' });
    await ask({ 'grpc-timeout': '1n' });
    assert.equal(calls[0]?.['grpc-timeout'], '1n');
  });
});

describe('gRPC callers', () => {
  const fates: readonly [what: string, route: Json, status: string, text: RegExp][] = [
    ['no cluster', { match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }, '14', /does not exist/],
    ['no route', { match: { path: '/other' }, route: { cluster: 'a' } }, '12', /no route/],
    ['a server that is away', { match: { prefix: '/' }, route: { cluster: 'a' } }, '14', /connection .* failed/],
    [
      'a direct response',
      { match: { prefix: '/' }, direct_response: { status: 503, body: { inline_string: '100 % off ☺' } } },
      '14',
      /^100 %25 off %E2%98%BA$/,
    ],
    ['a redirect', { match: { prefix: '/' }, redirect: { host_redirect: 'b' } }, '2', /^$/],
  ];
  for (const [what, route, status, text] of fates) {
    it(`are told of ${what} in HTTP 200 with a gRPC status`, async (context) => {
      const port = await closedPort();
      const proxy = await startTestProxy(context, () => ({
        listeners: [listener('main', httpManager([route]))],
        clusters: [cluster('a', [port], http2Only)],
      }));
      const response = await call(openHttp2(context, proxy.port()));
      assert.deepEqual([response.status, response.headers['grpc-status']], [200, status]);
      assert.equal(response.headers['content-type'], 'application/grpc');
      assert.match(String(response.headers['grpc-message']), text);
      assert.equal(response.body.length, 0);
    });
  }

  it('make a host that answers UNAVAILABLE count as failing', async (context) => {
    const detection = { consecutive_5xx: 3, base_ejection_time: '60s', interval: '3600s', max_ejection_percent: 100 };
    const { ask, proxy } = await play(context, [trailersOnly(14)], {}, { cluster: { outlier_detection: detection } });
    for (let i = 0; i < 3; i++) await ask();
    assert.equal(proxy.stat('cluster.a.outlier_detection.ejections_active'), 1);
  });

  it('count for the cluster by what happened, though they are told of it in HTTP 200', async (context) => {
    const { ask, proxy } = await play(context, [silence, trailersOnly(14)], { timeout: '0.5s' });
    assert.equal((await ask()).headers['grpc-status'], '4');
    assert.equal((await ask()).headers['grpc-status'], '14');
    assert.deepEqual(
      [504, 503, 200].map((status) => proxy.stat(`cluster.a.upstream_rq_${status}`)),
      [1, 0, 1],
    );
    const port = await closedPort();
    const away = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')], { filters: [grpcWeb] }))],
      clusters: [cluster('a', [port], http2Only)],
    }));
    const session = openHttp2(context, away.port());
    for (const type of ['application/grpc', 'application/grpc-web']) {
      const response = await call(session, { 'content-type': type });
      assert.deepEqual([response.status, response.headers['grpc-status']], [200, '14']);
    }
    const names = ['503', '5xx', '2xx', 'completed'];
    assert.deepEqual(
      names.map((name) => away.stat(`cluster.a.upstream_rq_${name}`)),
      [2, 2, 0, 2],
    );
    assert.equal(away.stat('http.test.downstream_rq_2xx'), 2);
  });

  it('are counted by method and outcome, with their messages', async (context) => {
    const typed_config = {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
      stats_for_all_methods: true,
    };
    const filters = [{ name: 'envoy.filters.http.grpc_stats', typed_config }];
    const { ask, proxy } = await play(context, [message(0), trailersOnly(5), trailersOnly(12)], {}, { filters });
    await ask();
    await ask();
    await ask({ ':path': '/made.Up/Method' });
    const stats = ['0', '5', 'success', 'failure', 'total', 'request_message_count', 'response_message_count'];
    assert.deepEqual(
      stats.map((name) => proxy.stat(`cluster.a.grpc.shop.v1.Cart.Add.${name}`)),
      [1, 1, 1, 1, 2, 2, 1],
    );
    assert.equal(proxy.stat('cluster.a.grpc.12'), 1);
    const page = (await proxy.admin('GET', '/stats/prometheus')).body;
    assert.match(
      page,
      /envoy_cluster_grpc_total\{envoy_grpc_bridge_method="Add",envoy_grpc_bridge_service="shop\.v1\.Cart"/,
    );
    assert.doesNotMatch(page, /made/);
  });
});
