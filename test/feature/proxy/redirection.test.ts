// Listeners for redirected connections, and connections from a chosen address, as far as they show where no rule redirects. With
// rules: test/e2e/transparent-capture.test.ts.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { until, waitFor, within } from '../../kit/until.ts';
import { startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { cluster, fileLog, httpManager, listener, routeTo, startTestProxy, tcpProxy } from './fixture.ts';

const skip = process.platform === 'linux' ? false : 'the kernel tells original destinations on Linux only';
if (skip !== false) console.log(`skipped: redirected connections: ${skip}`);

const passthrough = { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', connect_timeout: '1s' };
const operators = '%DOWNSTREAM_LOCAL_PORT% %DOWNSTREAM_DIRECT_LOCAL_PORT% %UPSTREAM_HOST%\n';

describe('a listener for redirected connections', { skip }, () => {
  it('serves those that nobody redirected by its own chains', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [{ ...listener('main', httpManager([routeTo('a')])), use_original_dst: true }],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/here')).text, 'GET /here');
    assert.equal(proxy.stat('listener.127.0.0.1_0.downstream_cx_total'), 1);
  });

  it('sends none of them to themselves', async (context) => {
    const proxy = await startTestProxy(context, (logPath) => ({
      listeners: [
        {
          ...listener('main', tcpProxy('pass', { access_log: [fileLog(logPath, operators)] })),
          use_original_dst: true,
        },
      ],
      clusters: [{ name: 'pass', ...passthrough }],
    }));
    const client = connect(proxy.port(), '127.0.0.1');
    client.on('error', () => {});
    await within('the connection to be refused', new Promise((resolve) => client.once('close', resolve)));
    await until('the connection is over', () => proxy.stat('listener.127.0.0.1_0.downstream_cx_active') === 0);
    assert.deepEqual(await proxy.accessLog(), [`${proxy.port()} ${proxy.port()} -`]);
    assert.equal(proxy.stat('listener.127.0.0.1_0.downstream_cx_total'), 1);
  });
});

describe('a cluster of original destinations', () => {
  it('goes where the authority of a request says, as the route left it', async (context) => {
    const upstream = await startUpstream(context);
    const here = `127.0.0.1:${upstream.port}`;
    const by = { original_dst_lb_config: { use_http_header: true, http_header_name: ':authority' } };
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        listener(
          'main',
          httpManager([
            { match: { prefix: '/fixed' }, route: { cluster: 'any', host_rewrite_literal: here } },
            routeTo('any'),
          ]),
        ),
      ],
      clusters: [{ name: 'any', ...passthrough, ...by }],
    }));
    const client = await openClient(context, proxy.port());
    const status = async (path: string, host: string) => (await client.fetch('GET', path, { host })).status;
    assert.equal(await status('/', here), 200);
    assert.equal(await status('/fixed', 'api.test'), 200);
    assert.equal(await status('/', 'api.test'), 503);
    assert.equal(proxy.stat('cluster.any.original_dst_host_invalid'), 1);
  });
});

describe('upstream_bind_config', { skip }, () => {
  const from = { upstream_bind_config: { source_address: { address: '127.0.0.6', port_value: 0 } } };

  it('connects from that address', async (context) => {
    const seen: string[] = [];
    const port = await startTcpServer(context, (socket) => {
      seen.push(socket.remoteAddress ?? '');
      socket.end();
    });
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', tcpProxy('a'))],
      clusters: [cluster('a', [port], from)],
    }));
    const client = connect(proxy.port(), '127.0.0.1');
    client.resume();
    await waitFor(client, 'end');
    client.destroy();
    assert.deepEqual(seen, ['127.0.0.6']);
  });

  it('fails rather than to connect from another', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      // No machine has a documentation address.
      clusters: [
        cluster('a', [upstream.port], {
          upstream_bind_config: { source_address: { address: '192.0.2.6', port_value: 0 } },
        }),
      ],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).status, 503);
    assert.equal(upstream.connections, 0);
  });
});
