// Circuit breakers of a cluster: what their limits keep out, and what they must not.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { until } from '../../kit/until.ts';
import { raw, reply, stall, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, tcpProxy } from './fixture.ts';

describe('a limit of connections', () => {
  it('that an idle one to another host has reached refuses nobody', async (context) => {
    const [one, two] = [await startUpstream(context), await startUpstream(context)];
    const limits = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [one.port, two.port], limits)],
    }));
    const client = await openClient(context, proxy.port());
    for (let i = 0; i < 4; i++) assert.equal((await client.fetch('GET', '/')).status, 200);
    assert.deepEqual([one.connections, two.connections], [1, 1]);
    assert.equal(proxy.stat('cluster.a.circuit_breakers.default.cx_open'), 1);
    assert.equal(proxy.stat('cluster.a.upstream_cx_overflow'), 1);
  });

  it('of none leaves each host one, on which requests take turns, and TCP none', async (context) => {
    const [one, two] = [await startUpstream(context), await startUpstream(context)];
    const limits = { circuit_breakers: { thresholds: [{ max_connections: 0 }] } };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')])), listener('tcp', tcpProxy('a'))],
      clusters: [cluster('a', [one.port, two.port], limits)],
    }));
    const clients = await Promise.all(Array.from({ length: 6 }, () => openClient(context, proxy.port())));
    const answers = await Promise.all(clients.map((client) => client.fetch('GET', '/')));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.deepEqual([one.connections, two.connections], [1, 1]);
    const tcp = connect(proxy.port('tcp'), '127.0.0.1').on('error', () => {});
    await until('it is refused', () => tcp.destroyed);
    assert.deepEqual([one.connections, two.connections], [1, 1]);
  });

  it('that a tunnel to another host has reached refuses none to a host without', async (context) => {
    const [one, two] = [await startTcpServer(context, () => {}), await startTcpServer(context, () => {})];
    const limits = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
    const upgrade_configs = [{ upgrade_type: 'CONNECT', connect_config: {} }];
    const route = { match: { connect_matcher: {} }, route: { cluster: 'a', upgrade_configs } };
    const manager = { upgrade_configs: [{ upgrade_type: 'CONNECT' }] };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([route], { manager }))],
      clusters: [cluster('a', [one, two], limits)],
    }));
    const statuses: number[] = [];
    for (let i = 0; i < 2; i++) {
      const client = await openClient(context, proxy.port());
      statuses.push((await client.fetch('CONNECT', 'a:80')).status);
    }
    assert.deepEqual(statuses, [200, 200]);
  });
});

describe('a route with high priority', () => {
  const few = { max_connections: 1, max_pending_requests: 1 };

  for (const [name, thresholds, refused] of [
    ['is not held to the limits of the others', [few], 0],
    ['is held to its own, for connections and for requests that wait', [{ priority: 'HIGH', ...few }], 3],
  ] as const) {
    it(name, async (context) => {
      const upstream = await startUpstream(context, [stall()]);
      const proxy = await startTestProxy(context, () => ({
        listeners: [listener('main', httpManager([routeTo('a', { priority: 'HIGH' })]))],
        clusters: [cluster('a', [upstream.port], { circuit_breakers: { thresholds } })],
      }));
      for (let i = 0; i < 5; i++) (await openClient(context, proxy.port())).request('GET', '/');
      const overflow = (): number => proxy.stat('cluster.a.upstream_rq_pending_overflow');
      await until('all have gone or wait', () => proxy.stat('cluster.a.upstream_rq_active') + overflow() === 5);
      await until('those that may have gone', () => upstream.requests.length === (refused === 0 ? 5 : 1));
      assert.equal(overflow(), refused);
    });
  }
});

describe('a limit of retries', () => {
  const limits = { circuit_breakers: { thresholds: [{ max_retries: 1 }] } };
  const retry_policy = { retry_on: '5xx', num_retries: 1, retry_back_off: { base_interval: '0.001s' } };
  const begin = raw('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegin');

  for (const [name, step, status] of [
    ['does not count one whose response has begun', begin, 200],
    ['counts one that waits for its response', stall(), 503],
  ] as const) {
    it(name, async (context) => {
      const upstream = await startUpstream(context, [reply(503), step, reply(503), reply(200)]);
      const proxy = await startTestProxy(context, () => ({
        listeners: [listener('main', httpManager([routeTo('a', { retry_policy })]))],
        clusters: [cluster('a', [upstream.port], limits)],
      }));
      const first = await openClient(context, proxy.port());
      first.request('GET', '/');
      await upstream.request(2);
      if (status === 200) await until('it has begun', () => first.rest.includes('begin'));
      assert.equal((await (await openClient(context, proxy.port())).fetch('GET', '/')).status, status);
      assert.equal(proxy.stat('cluster.a.upstream_rq_retry_overflow'), status === 200 ? 0 : 1);
    });
  }
});
