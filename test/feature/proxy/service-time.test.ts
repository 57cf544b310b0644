// `x-envoy-upstream-service-time`: how long the answer took from the end of the request on, by Envoy's count.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { after, reply, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from './fixture.ts';

const serviceTime = 'x-envoy-upstream-service-time';

function proxyTo(context: TestContext, port: number, clock: LeapClock): Promise<TestProxy> {
  const retry_policy = { retry_on: '5xx', num_retries: 1, retry_back_off: { base_interval: '0.001s' } };
  const bootstrap = {
    listeners: [listener('main', httpManager([routeTo('a', { timeout: '0s', retry_policy })]))],
    clusters: [cluster('a', [port])],
  };
  return startTestProxy(context, () => bootstrap, clock);
}

describe('the service time', () => {
  it('has the attempts in it that came to nothing', async (context) => {
    const clock = new LeapClock();
    const gate = Promise.withResolvers<void>();
    const upstream = await startUpstream(context, [after(gate.promise, reply(503)), reply(200)]);
    const proxy = await proxyTo(context, upstream.port, clock);
    const client = await openClient(context, proxy.port());
    client.request('GET', '/');
    await upstream.request(1);
    await clock.leap(60_000);
    gate.resolve();
    const response = await client.response();
    assert.equal(response.status, 200);
    const ms = Number(response.headers[serviceTime]);
    assert.ok(ms >= 60_000, `${ms} ms`);
  });

  it('does not count while the client sends, and is not there before it has ended', async (context) => {
    const clock = new LeapClock();
    const port = await startTcpServer(context, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        if (/ \/early |0\r\n\r\n$/.test(bytes.toString())) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
    });
    const proxy = await proxyTo(context, port, clock);
    const begin = (path: string): string =>
      `POST ${path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n`;
    const early = await openClient(context, proxy.port());
    early.expect('POST');
    early.send(begin('/early'));
    assert.equal((await early.response()).headers[serviceTime], undefined);
    const late = await openClient(context, proxy.port());
    late.expect('POST');
    late.send(begin('/late'));
    await until('the request is on its way', () => proxy.stat('cluster.a.upstream_rq_total') === 2);
    await clock.leap(60_000);
    late.send('0\r\n\r\n');
    const ms = Number((await late.response()).headers[serviceTime]);
    assert.ok(ms < 30_000, `${ms} ms`);
  });
});
