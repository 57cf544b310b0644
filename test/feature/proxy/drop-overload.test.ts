// Requests that the control plane wants dropped: `drop_overloads` of an endpoint assignment.

import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { reply, startUpstream, type Upstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy, tcpProxy } from './fixture.ts';

const retry_policy = { retry_on: '5xx', num_retries: 3, retry_back_off: { base_interval: '0.001s' } };

async function start(context: TestContext, perMillion: number): Promise<{ proxy: TestProxy; upstream: Upstream }> {
  const upstream = await startUpstream(context, [reply(503)]);
  const plain = cluster('a', [upstream.port]);
  const drop = { category: 'load', drop_percentage: { numerator: perMillion, denominator: 'MILLION' } };
  const load_assignment = { ...(plain.load_assignment as object), policy: { drop_overloads: [drop] } };
  const proxy = await startTestProxy(context, (logPath) => ({
    listeners: [
      listener('main', httpManager([routeTo('a', { retry_policy })], { logPath })),
      listener('tcp', tcpProxy('a')),
    ],
    clusters: [{ ...plain, load_assignment }],
  }));
  return { proxy, upstream };
}

for (const [perMillion, flag, details, header] of [
  [999_999, 'DO', 'drop_overload', 'x-envoy-drop-overload'],
  [1_000_000, 'UDO', 'unconditional_drop_overload', 'x-envoy-unconditional-drop-overload'],
] as const) {
  it(`a dropped request is told so: ${flag}`, async (context) => {
    const { proxy, upstream } = await start(context, perMillion);
    const answer = await (await openClient(context, proxy.port())).fetch('GET', '/');
    assert.deepEqual([answer.status, answer.text, answer.headers[header]], [503, details.replaceAll('_', ' '), 'true']);
    assert.deepEqual(await proxy.accessLog(), [`503 ${flag} ${details}`]);
    assert.deepEqual([upstream.requests.length, proxy.stat('cluster.a.upstream_rq_drop_overload')], [0, 1]);
  });
}

it('one that was not dropped is not dropped by its retries', async (context) => {
  const { proxy, upstream } = await start(context, 500_000);
  const client = await openClient(context, proxy.port());
  for (let i = 0; i < 40; i++) await client.fetch('GET', '/');
  const passed = 40 - proxy.stat('cluster.a.upstream_rq_drop_overload');
  assert.equal(upstream.requests.length, 4 * passed);
});

it('connections of TCP are no requests', async (context) => {
  const { proxy } = await start(context, 1_000_000);
  assert.equal((await (await openClient(context, proxy.port('tcp'))).fetch('GET', '/')).status, 503);
  assert.equal(proxy.stat('cluster.a.upstream_rq_drop_overload'), 0);
});
