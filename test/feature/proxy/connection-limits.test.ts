// How many connections a listener, and all listeners together, may have.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '@weft/lib/clock';
import { openClient, type RawClient } from '../../kit/client.ts';
import { until } from '../../kit/until.ts';
import { httpManager, listener, startTestProxy, type TestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const skip = process.platform === 'linux' ? false : 'workers share ports on Linux only';

const monitor = (max: number | string): Json => ({
  resource_monitors: [
    {
      name: 'envoy.resource_monitors.global_downstream_max_connections',
      typed_config: {
        '@type':
          'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
        max_active_downstream_connections: max,
      },
    },
  ],
});

interface Limits {
  readonly runtime?: Json;
  readonly monitor?: Json;
  readonly workers?: number;
  readonly listeners?: Json[];
}

function start(context: TestContext, limits: Limits): Promise<TestProxy> {
  return startTestProxy(
    context,
    () => ({
      listeners: limits.listeners ?? [listener('main', httpManager([]))],
      clusters: [],
      ...(limits.runtime === undefined ? {} : { runtime: limits.runtime }),
      ...(limits.monitor === undefined ? {} : { more: { overload_manager: limits.monitor } }),
    }),
    systemClock,
    limits.workers ?? 1,
  );
}

/** Opens connections one after the other, and says of each whether it is served (404: there are no routes) or closed at once. */
async function open(
  context: TestContext,
  port: number,
  count: number,
): Promise<{ served: RawClient[]; closed: number }> {
  const served: RawClient[] = [];
  let closed = 0;
  for (let i = 0; i < count; i++) {
    const client = await openClient(context, port);
    const response = await client.fetch('GET', '/').catch(() => null);
    if (response?.status === 404) served.push(client);
    else closed++;
  }
  return { served, closed };
}

async function stat(proxy: TestProxy, name: string): Promise<number> {
  const { body } = await proxy.admin('GET', `/stats?filter=${name.replaceAll('.', '\\.')}$`);
  return Number(body.trim().split(': ')[1]);
}

const own = 'listener.127.0.0.1_0';

describe('the connections of a listener', () => {
  const runtime = { 'envoy.resource_limits.listener.main.connection_limit': 2 };

  it('are as many as its runtime key says; one that ends makes room', async (context) => {
    const proxy = await start(context, { runtime });
    const { served, closed } = await open(context, proxy.port(), 4);
    assert.deepEqual([served.length, closed], [2, 2]);
    assert.equal(await stat(proxy, `${own}.downstream_cx_overflow`), 2);
    assert.equal(await stat(proxy, `${own}.downstream_cx_total`), 2);
    served[0]?.close();
    await until('there is room', async () => (await stat(proxy, `${own}.downstream_cx_active`)) === 1);
    const more = await open(context, proxy.port(), 2);
    assert.deepEqual([more.served.length, more.closed], [1, 1]);
  });

  it('are counted over all workers', { skip }, async (context) => {
    const proxy = await start(context, {
      runtime: { 'envoy.resource_limits.listener.main.connection_limit': 5 },
      workers: 2,
    });
    const { served, closed } = await open(context, proxy.port(), 16);
    assert.deepEqual([served.length, closed], [5, 11]);
    assert.equal(await stat(proxy, `${own}.downstream_cx_overflow`), 11);
    for (const client of served) client.close();
    await until('there is room', async () => (await stat(proxy, `${own}.downstream_cx_active`)) === 0);
    assert.equal((await open(context, proxy.port(), 16)).served.length, 5);
  });
});

describe('the connections of all listeners', () => {
  it('are as many as the resource monitor says, but for those of a listener that ignores it', async (context) => {
    const proxy = await start(context, {
      monitor: monitor('3'),
      listeners: [
        listener('main', httpManager([])),
        listener('other', httpManager([])),
        { ...listener('health', httpManager([])), ignore_global_conn_limit: true, stat_prefix: 'health' },
      ],
    });
    const first = await open(context, proxy.port('main'), 2);
    const second = await open(context, proxy.port('other'), 2);
    assert.deepEqual([first.served.length, second.served.length, second.closed], [2, 1, 1]);
    assert.equal(await stat(proxy, `${own}.downstream_global_cx_overflow`), 1);
    const third = await open(context, proxy.port('health'), 2);
    assert.deepEqual([third.served.length, third.closed], [2, 0]);
  });
});
