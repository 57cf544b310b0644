// What a client gets for an endpoint that does not answer in time, where the request says what it wants then.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { stall, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

const perTry = { timeout: '0s', retry_policy: { retry_on: 'gateway-error', num_retries: 0, per_try_timeout: '0.05s' } };

for (const [name, action, details] of [
  ['its route', { timeout: '0.05s' }, 'response_timeout'],
  ['a try', perTry, 'upstream_per_try_timeout'],
] as const) {
  it(`the time of ${name} is over: 204 without a body for whoever asks for that`, async (context) => {
    const upstream = await startUpstream(context, [stall()]);
    const proxy = await startTestProxy(context, (logPath) => ({
      listeners: [listener('main', httpManager([routeTo('a', action)], { logPath }))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    const answer = await client.fetch('GET', '/', { 'x-envoy-upstream-rq-timeout-alt-response': '' });
    assert.deepEqual([answer.status, answer.text, answer.headers['content-type']], [204, '', undefined]);
    assert.equal((await upstream.request(1)).headers['x-envoy-upstream-rq-timeout-alt-response'], undefined);
    assert.equal(proxy.stat('cluster.a.upstream_rq_204'), 1);
    assert.equal((await client.fetch('GET', '/')).status, 504);
    assert.equal((await proxy.accessLog())[0], `204 UT ${details}`);
  });
}

it('a gRPC call that asks for it still hears that its time is over', async (context) => {
  const upstream = await startUpstream(context, [stall()]);
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManager([routeTo('a', { timeout: '0.05s' })]))],
    clusters: [cluster('a', [upstream.port])],
  }));
  const client = await openClient(context, proxy.port());
  const asks = { 'content-type': 'application/grpc', 'x-envoy-upstream-rq-timeout-alt-response': '1' };
  const { status, headers } = await client.fetch('POST', '/', asks);
  assert.deepEqual([status, headers['grpc-status']], [200, '4']);
});
