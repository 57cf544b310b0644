// How long one attempt may take as a whole: `max_stream_duration` of the cluster.

import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { openClient, type RawClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { raw, type Step, stall, startUpstream, type Upstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const limited = {
  typed_extension_protocol_options: {
    [options]: {
      '@type': `type.googleapis.com/${options}`,
      explicit_http_config: { http_protocol_options: {} },
      common_http_protocol_options: { max_stream_duration: '1s' },
    },
  },
};

interface Scene {
  readonly proxy: TestProxy;
  readonly upstream: Upstream;
  readonly clock: LeapClock;
  readonly client: RawClient;
}

async function start(context: TestContext, steps: readonly Step[], action: object = {}): Promise<Scene> {
  const upstream = await startUpstream(context, steps);
  const clock = new LeapClock();
  const build = (logPath: string) => ({
    listeners: [listener('main', httpManager([routeTo('a', { timeout: '0s', ...action })], { logPath }))],
    clusters: [cluster('a', [upstream.port], limited)],
  });
  const proxy = await startTestProxy(context, build, clock);
  return { proxy, upstream, clock, client: await openClient(context, proxy.port()) };
}

const retry_policy = { retry_on: 'reset', num_retries: 1, retry_back_off: { base_interval: '0.001s' } };
const ended = '504 UMSDR upstream_max_stream_duration_reached';

it('an attempt that takes too long is answered 504', async (context) => {
  const { proxy, upstream, clock, client } = await start(context, [stall()]);
  client.request('GET', '/');
  await upstream.request(1);
  await clock.leap(1000);
  const answer = await client.response();
  assert.deepEqual([answer.status, answer.text], [504, 'upstream max stream duration reached']);
  assert.deepEqual(await proxy.accessLog(), [ended]);
  assert.equal(proxy.stat('cluster.a.upstream_rq_max_duration_reached'), 1);
  assert.equal(proxy.stat('http.test.downstream_rq_max_duration_reached'), 0);
});

it('one whose request has not ended is answered 408', async (context) => {
  const { upstream, clock, client } = await start(context, [stall()]);
  client.expect('POST');
  client.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
  await until('the endpoint is connected', () => upstream.connections === 1);
  await clock.leap(1000);
  assert.equal((await client.response()).status, 408);
});

it('the next attempt has the whole time again', async (context) => {
  const { upstream, clock, client, proxy } = await start(context, [stall(), stall()], { retry_policy });
  client.request('GET', '/');
  await upstream.request(1);
  await clock.leap(1000);
  await upstream.request(2);
  await clock.leap(900);
  for (const socket of upstream.openSockets) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  assert.equal(proxy.stat('cluster.a.upstream_rq_retry'), 1);
});

it('a response that has begun is cut', async (context) => {
  const { upstream, clock, client } = await start(context, [raw('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')]);
  client.request('GET', '/');
  await upstream.request(1);
  await until('it has begun', () => client.rest.includes('half'));
  await clock.leap(1000);
  await client.closed();
});

for (const [asked, leapMs, status] of [
  ['3000', 2000, 200],
  ['0', 2000, 200],
  ['300', 500, 504],
  ['soon', 1500, 504],
] as const) {
  it(`a request that asks for ${asked} ms is answered ${status} after ${leapMs}`, async (context) => {
    const { upstream, clock, client, proxy } = await start(context, [stall()]);
    client.request('GET', '/', { 'x-envoy-upstream-stream-duration-ms': asked });
    assert.equal((await upstream.request(1)).headers['x-envoy-upstream-stream-duration-ms'], undefined);
    await clock.leap(leapMs);
    for (const socket of upstream.openSockets) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    assert.equal((await client.response()).status, status);
    assert.equal(proxy.stat('cluster.a.upstream_rq_max_duration_reached'), status === 504 ? 1 : 0);
  });
}
