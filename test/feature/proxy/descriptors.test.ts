// A proxy without file descriptors: it says so, answers what it can, and goes on when some are free again.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { openClient, RawClient } from '../../kit/client.ts';
import { until } from '../../kit/until.ts';
import { echo, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo } from './fixture.ts';
import { type ProxyProcess, startProxyProcess } from './process.ts';

const skip = process.platform === 'linux' ? false : 'the limit is read from /proc';
const openFiles = 100;
const sentence = /out of file descriptors: .*raise the limit of open files \(ulimit -n/;

function openIn({ child }: ProxyProcess): number {
  return readdirSync(`/proc/${child.pid}/fd`).length;
}

/** Connections that need not be accepted. */
function dial(context: TestContext, port: number): RawClient {
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {});
  context.after(() => socket.destroy());
  return new RawClient(socket);
}

for (const workers of [1, 2]) {
  describe(`out of file descriptors, ${workers} ${workers === 1 ? 'worker' : 'workers'}`, { skip }, () => {
    it('is told once and counted; a request gets a reply that says it; the proxy goes on afterwards', async (context) => {
      const upstream = await startUpstream(context, [echo()]);
      const resources = {
        listeners: [listener('main', httpManager([routeTo('a')]))],
        clusters: [cluster('a', [upstream.port])],
      };
      const flags = ['--concurrency', String(workers)];
      const proxy = await startProxyProcess(context, resources, { flags, openFiles });
      const port = await proxy.port('main');
      const complaints = () => proxy.log.filter((line) => sentence.test(line));

      const first = await openClient(context, port);
      const others: RawClient[] = [];
      for (let i = 0; i < openFiles + 20; i++) others.push(dial(context, port));
      await until('the proxy says so', () => complaints().length > 0, 20_000);
      // All are taken: none for a connection to the endpoint.
      first.request('GET', '/');
      const refused = await first.response();
      assert.equal(refused.status, 503);

      for (const other of others) other.socket.destroy();
      await until('they are closed', () => openIn(proxy) < openFiles - 20, 20_000);
      assert.equal((await first.fetch('GET', '/')).status, 200);
      assert.equal((await (await openClient(context, port)).fetch('GET', '/')).status, 200);
      const count = /^file_descriptors\.exhausted: (\d+)$/m.exec(await proxy.admin('/stats'))?.[1];
      assert.ok(Number(count) >= 1, String(count));
      assert.ok(complaints().length <= workers, complaints().join('\n'));
      assert.match((await proxy.admin('/decisions')) ?? '', /no file descriptor is free/);
      assert.equal((await proxy.admin('/ready')).startsWith('LIVE'), true);
    });
  });
}
