// Several workers in one proxy: connections spread, statistics add up, limits hold for all, and one that dies is replaced.

import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fetchOnce, openClient, RawClient } from '../../../kit/client.ts';
import { temporaryFolder } from '../../../kit/folder.ts';
import { until } from '../../../kit/until.ts';
import { after, echo, reply, startUpstream } from '../../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, tcpProxy } from '../fixture.ts';
import {
  enoughConnections,
  everyWorkerServes,
  killWorker,
  openClients,
  spread,
  startTwoWorkers,
  stats,
} from './fixture.ts';

const isLinux = process.platform === 'linux';
const skip = isLinux ? false : 'workers share ports on Linux only';

/** A promise and what resolves it. */
function makeGate(): { open: () => void; gate: Promise<void> } {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), gate };
}

describe('two workers', { skip }, () => {
  it('share one port, take their part of the connections, and are one proxy in the statistics', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const clients = await openClients(context, proxy.port());
    for (const client of clients) assert.equal((await client.fetch('GET', '/x')).status, 200);

    const [first = 0, second = 0] = await spread(proxy);
    assert.ok(first > 0 && second > 0, `${first} and ${second}`);
    assert.equal(first + second, enoughConnections);
    const all = await stats(proxy);
    assert.equal(all.get('listener.127.0.0.1_0.downstream_cx_total'), enoughConnections);
    assert.equal(all.get('listener.127.0.0.1_0.downstream_cx_active'), enoughConnections);
    assert.equal(all.get('cluster.a.upstream_rq_200'), enoughConnections);
    assert.equal(all.get('cluster.a.membership_total'), 1);
    assert.equal(all.get('cluster.a.membership_healthy'), 1);
    assert.equal(all.get('cluster_manager.active_clusters'), 1);
    assert.equal(all.get('listener_manager.listener_added'), 1);
    assert.equal(all.get('server.total_connections'), enoughConnections);
    assert.equal(all.get('server.concurrency'), 2);

    const scrape = (await proxy.admin('GET', '/stats/prometheus')).body;
    assert.match(scrape, /^envoy_cluster_upstream_rq_time_count\{envoy_cluster_name="a"\} 32$/m);
    assert.match(scrape, /^envoy_listener_worker_downstream_cx_total\{envoy_worker_id="1",envoy_listener_address=/m);
    const hosts = (await proxy.admin('GET', '/clusters')).body;
    assert.match(hosts, new RegExp(`^a::127\\.0\\.0\\.1:${upstream.port}::rq_total::${enoughConnections}$`, 'm'));
    const info = (await proxy.adminJson('/server_info')) as { command_line_options: { concurrency: number } };
    assert.equal(info.command_line_options.concurrency, 2);
  });

  it('hold a limit of one request together', async (context) => {
    const { open, gate } = makeGate();
    const upstream = await startUpstream(context, [after(gate, reply(200)), reply(200)]);
    const limits = { circuit_breakers: { thresholds: [{ max_requests: 1, max_pending_requests: 100 }] } };
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port], limits)],
    }));
    const slow = await openClient(context, proxy.port());
    slow.request('GET', '/slow');
    await upstream.request(1);
    const others = await openClients(context, proxy.port());
    for (const client of others) assert.equal((await client.fetch('GET', '/more')).status, 503);
    assert.equal((await spread(proxy)).filter((count) => count > 0).length, 2);
    assert.equal((await stats(proxy)).get('cluster.a.circuit_breakers.default.rq_open'), 1);
    open();
    assert.equal((await slow.response()).status, 200);
    await until('the permit is back', async () => (await stats(proxy)).get('cluster.a.upstream_rq_active') === 0);
    for (const client of others) assert.equal((await client.fetch('GET', '/again')).status, 200);
    assert.equal((await stats(proxy)).get('cluster.a.circuit_breakers.default.rq_open'), 0);
  });

  it('starve none of them of connections', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const limits = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port], limits)],
    }));
    // Each keeps its connection to the endpoint, idle, between requests.
    for (const client of await openClients(context, proxy.port()))
      assert.equal((await client.fetch('GET', '/')).status, 200);
    assert.equal(upstream.connections, 2);
    assert.equal((await stats(proxy)).get('cluster.a.circuit_breakers.default.cx_open'), 1);
  });

  it('resolve names through the main thread', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const address = { socket_address: { address: 'localhost', port_value: upstream.port } };
    const named = {
      type: 'STRICT_DNS',
      load_assignment: { cluster_name: 'a', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    };
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [], named)],
    }));
    await everyWorkerServes(proxy);
    for (const client of await openClients(context, proxy.port()))
      assert.equal((await client.fetch('GET', '/')).status, 200);
  });

  it('explain every decision, whoever made it', async (context) => {
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([]))],
      clusters: [],
    }));
    const ids = new Set<string>();
    for (const client of await openClients(context, proxy.port())) {
      const response = await client.fetch('GET', '/none');
      assert.equal(response.status, 404);
      ids.add(response.headers['x-weft-decision'] ?? '');
    }
    assert.equal(ids.size, enoughConnections);
    const { total } = await proxy.adminJson('/decisions');
    assert.equal(total, enoughConnections);
    for (const id of ids) assert.equal((await proxy.admin('GET', `/decisions/${id}`)).status, 200);
  });

  it('write the access log through one writer', async (context) => {
    const proxy = await startTwoWorkers(context, (logPath) => ({
      listeners: [listener('main', httpManager([], { logPath, logFormat: '%REQ(:PATH)% %RESPONSE_CODE%' }))],
      clusters: [],
    }));
    for (const client of await openClients(context, proxy.port())) await client.fetch('GET', '/logged');
    const written = async () => (await stats(proxy)).get('access_log.lines_written');
    await until('every line is written', async () => (await written()) === enoughConnections);
    assert.deepEqual(await proxy.accessLog(), new Array(enoughConnections).fill('/logged 404'));
  });

  it('stop listening when told to', async (context) => {
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([]))],
      clusters: [],
    }));
    const port = proxy.port();
    const clients = await openClients(context, port);
    for (const client of clients) await client.fetch('GET', '/');
    await proxy.admin('POST', '/drain_listeners');
    for (const client of clients) await client.closed();
    await assert.rejects(openClient(context, port), /ECONNREFUSED/);
    // One that comes later does not listen either.
    await killWorker(proxy, 0);
    await everyWorkerServes(proxy);
    await assert.rejects(openClient(context, port), /ECONNREFUSED/);
  });

  it('ask clients to leave when told to, also one that comes later', async (context) => {
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([]))],
      clusters: [],
    }));
    await proxy.admin('POST', '/drain_listeners?graceful');
    await killWorker(proxy, 0);
    await everyWorkerServes(proxy);
    for (const client of await openClients(context, proxy.port()))
      assert.equal((await client.fetch('GET', '/')).headers.connection, 'close');
  });
});

describe('a worker that dies', { skip }, () => {
  it('takes no other down, gives back what it held, and is replaced', async (context) => {
    const { open, gate } = makeGate();
    const upstream = await startUpstream(context, [after(gate, reply(200)), reply(200)]);
    context.after(open);
    const limits = { circuit_breakers: { thresholds: [{ max_requests: 1, max_pending_requests: 100 }] } };
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port], limits)],
    }));
    const port = proxy.port();
    const slow = await openClient(context, port);
    slow.request('GET', '/slow');
    await upstream.request(1);
    const holder = (await spread(proxy)).indexOf(1);
    const clients = await openClients(context, port);
    for (const client of clients) assert.equal((await client.fetch('GET', '/')).status, 503);
    const before = await stats(proxy);

    await killWorker(proxy, holder);
    await slow.closed();
    // Its own clients, `slow` among them, are cut; the others notice nothing.
    const isCut = (client: RawClient): boolean => client.socket.destroyed;
    const cut = (before.get(`listener.127.0.0.1_0.worker_${holder}.downstream_cx_total`) ?? 0) - 1;
    await until('its clients know', () => clients.filter(isCut).length === cut);
    const alive = clients.filter((client) => !isCut(client));
    assert.ok(alive.length > 0);
    // The permit that died with the worker is free again.
    for (const client of alive) assert.equal((await client.fetch('GET', '/')).status, 200);
    // Nobody is refused while one serves alone.
    for (let i = 0; i < 8; i++) assert.equal((await fetchOnce(context, port, '/')).status, 200);

    await everyWorkerServes(proxy);
    for (const client of await openClients(context, port)) assert.equal((await client.fetch('GET', '/')).status, 200);
    const all = await stats(proxy);
    assert.equal(all.get('workers.died'), 1);
    assert.equal(all.get('cluster.a.upstream_rq_active'), 0, 'gauges of the dead are gone');
    const name = 'http.test.downstream_rq_total';
    assert.ok((all.get(name) ?? 0) >= (before.get(name) ?? 0) + 8 + enoughConnections, 'counters go up only');
    assert.ok((await spread(proxy)).every((count) => count > 0));
    assert.equal((await proxy.admin('GET', '/ready')).status, 200);
  });

  it('is replaced when it dies of a defect', async (context) => {
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [listener('main', httpManager([]))],
      clusters: [],
    }));
    const slot = proxy.running.workers?.slots[1];
    // What no main thread says: bytes that are no cluster.
    slot?.channel?.tell('change', { kind: 'cluster', set: [['x', Buffer.from('?')]], removed: [], version: '1' });
    await until('it is dead', async () => (await stats(proxy)).get('workers.died') === 1);
    assert.equal((await fetchOnce(context, proxy.port(), '/')).status, 404);
    await everyWorkerServes(proxy);
    for (const client of await openClients(context, proxy.port()))
      assert.equal((await client.fetch('GET', '/')).status, 404);
    assert.ok((await spread(proxy)).every((count) => count > 0));
  });

  it('hands a Unix socket on', async (context) => {
    const upstream = await startUpstream(context, [echo()]);
    const path = join(temporaryFolder(context), 'proxy.sock');
    const proxy = await startTwoWorkers(context, () => ({
      listeners: [{ name: 'pipe', address: { pipe: { path } }, filter_chains: [{ filters: [tcpProxy('a')] }] }],
      clusters: [cluster('a', [upstream.port])],
    }));
    const ask = async (): Promise<number> => {
      const socket = connect(path);
      context.after(() => socket.destroy());
      return (await new RawClient(socket).fetch('GET', '/')).status;
    };
    assert.equal(await ask(), 200);
    const all = await stats(proxy);
    const holder = [0, 1].find((i) => (all.get(`listener.pipe.worker_${i}.downstream_cx_total`) ?? 0) > 0) ?? 0;
    await killWorker(proxy, holder);
    await until('the other has it', async () => existsSync(path) && (await ask().catch(() => 0)) === 200);
  });

  for (const [what, spoil] of [
    ['gone', rmSync],
    ['become something else', (file: string) => writeFileSync(file, Buffer.of(0xff))],
  ] as const) {
    it(`is replaced although a file of its configuration has ${what}`, async (context) => {
      const file = join(temporaryFolder(context), 'body.txt');
      writeFileSync(file, 'from a file');
      const route = { match: { prefix: '/' }, direct_response: { status: 200, body: { filename: file } } };
      const proxy = await startTwoWorkers(context, () => ({
        listeners: [listener('main', httpManager([route]))],
        clusters: [],
      }));
      spoil(file);
      await killWorker(proxy, 0);
      await killWorker(proxy, 1);
      await everyWorkerServes(proxy);
      for (const client of await openClients(context, proxy.port())) {
        assert.equal(String((await client.fetch('GET', '/')).body), 'from a file');
      }
    });
  }
});
