// What a further attempt sends, and what it says.

import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { describe, it, type TestContext } from 'node:test';
import { type ClientResponse, openClient } from '../../kit/client.ts';
import { startHttp2Upstream } from '../../kit/http2-server.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { after, echo, reply, startUpstream } from '../../kit/upstream.ts';
import { cluster, http2Only, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

describe('a request that an endpoint refused when it had its body', () => {
  it('is not sent again without it where no retries are left', async (context) => {
    const bodies: string[] = [];
    let streams = 0;
    const upstream = await startHttp2Upstream(context, (stream) => {
      const isFirst = streams++ === 0;
      let body = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      stream.on('end', () => {
        bodies.push(body);
        if (isFirst) stream.close(constants.NGHTTP2_REFUSED_STREAM);
        else stream.respond({ ':status': 200 }, { endStream: true });
      });
    });
    const retry_policy = { retry_on: 'refused-stream', num_retries: 0 };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a', { retry_policy })]))],
      clusters: [cluster('a', [upstream.port], http2Only)],
    }));
    const client = await openClient(context, proxy.port());
    client.expect('POST');
    client.send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
    await until('the endpoint has the head', () => streams === 1);
    client.send('5\r\nhello\r\n0\r\n\r\n');
    assert.equal((await client.response()).status, 503);
    assert.deepEqual(bodies, ['hello']);
  });
});

describe('the time that an endpoint is told anyone waits for it', () => {
  for (const [name, perTry, first] of [
    ['is what is left of it', {}, 2000],
    ['is that of a try where that is less', { per_try_timeout: '1.6s' }, 1600],
  ] as const) {
    it(name, async (context) => {
      const clock = new LeapClock();
      let open: (value: unknown) => void = () => {};
      const gate = new Promise((resolve) => {
        open = resolve;
      });
      const upstream = await startUpstream(context, [after(gate, reply(503)), reply(200)]);
      const retry_policy = { retry_on: '5xx', ...perTry, retry_back_off: { base_interval: '0.001s' } };
      const proxy = await startTestProxy(
        context,
        () => ({
          listeners: [listener('main', httpManager([routeTo('a', { timeout: '2s', retry_policy })]))],
          clusters: [cluster('a', [upstream.port])],
        }),
        clock,
      );
      const client = await openClient(context, proxy.port());
      client.request('GET', '/');
      await upstream.request(1);
      await clock.leap(500);
      open(null);
      assert.equal((await client.response()).status, 200);
      const seen = upstream.requests.map((request) => Number(request.headers['x-envoy-expected-rq-timeout-ms']));
      assert.equal(seen[0], first);
      // Whatever else took time comes on top of the leap.
      assert.ok((seen[1] ?? 0) <= 1500 && (seen[1] ?? 0) > 0, String(seen[1]));
    });
  }
});

it('retries that were used up after an injected delay leave both flags', async (context) => {
  const upstream = await startUpstream(context, [reply(503)]);
  const retry_policy = { retry_on: '5xx', num_retries: 1, retry_back_off: { base_interval: '0.001s' } };
  const delay = { fixed_delay: '0.001s', percentage: { numerator: 100 } };
  const fault = {
    name: 'envoy.filters.http.fault',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault', delay },
  };
  const proxy = await startTestProxy(context, (logPath) => ({
    listeners: [listener('main', httpManager([routeTo('a', { retry_policy })], { logPath, filters: [fault] }))],
    clusters: [cluster('a', [upstream.port])],
  }));
  const client = await openClient(context, proxy.port());
  assert.equal((await client.fetch('GET', '/')).status, 503);
  assert.match((await proxy.accessLog())[0] ?? '', /^503 DI,URX /);
});

it('gateway-error calls for a retry of a refused stream', async (context) => {
  let streams = 0;
  const upstream = await startHttp2Upstream(context, (stream) => {
    // Once more is free, so the third one is the retry.
    if (++streams < 3) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else stream.respond({ ':status': 200 }, { endStream: true });
  });
  const retry_policy = { retry_on: 'gateway-error', retry_back_off: { base_interval: '0.001s' } };
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', { retry_policy })]))],
    clusters: [cluster('a', [upstream.port], http2Only)],
  }));
  assert.equal((await (await openClient(context, proxy.port())).fetch('GET', '/')).status, 200);
});

it('a retry leaves the connection open when the response before it was complete', async (context) => {
  const upstream = await startUpstream(context, [reply(503), reply(503), reply(200)]);
  const retry_policy = { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: '0.001s' } };
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', { retry_policy })]))],
    clusters: [cluster('a', [upstream.port])],
  }));
  const client = await openClient(context, proxy.port());
  assert.equal((await client.fetch('PUT', '/', {}, 'body')).status, 200);
  assert.equal(upstream.requests.length, 3);
  assert.equal(upstream.connections, 1);
  assert.equal(proxy.stat('cluster.a.upstream_rq_tx_reset'), 0);
});

describe('a request that says how long it is to take', () => {
  async function answerTo(context: TestContext, manager: Readonly<Record<string, unknown>>): Promise<ClientResponse> {
    const clock = new LeapClock();
    let open: (value: unknown) => void = () => {};
    const gate = new Promise((resolve) => {
      open = resolve;
    });
    const upstream = await startUpstream(context, [after(gate, echo())]);
    const proxy = await startTestProxy(
      context,
      () => ({
        listeners: [listener('main', httpManager([routeTo('a')], { manager }))],
        clusters: [cluster('a', [upstream.port])],
      }),
      clock,
    );
    const client = await openClient(context, proxy.port());
    client.request('GET', '/', { 'x-envoy-upstream-rq-timeout-ms': '5000' });
    const { headers } = await upstream.request(1);
    assert.equal(headers['x-envoy-upstream-rq-timeout-ms'], undefined);
    await clock.leap(6000);
    open(null);
    return client.response();
  }

  it('takes no longer within the mesh', async (context) => {
    assert.equal((await answerTo(context, {})).status, 504);
  });

  it('is not heard at the edge', async (context) => {
    assert.equal((await answerTo(context, { use_remote_address: true })).status, 200);
  });
});
