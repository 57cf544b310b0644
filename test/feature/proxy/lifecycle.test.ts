// Draining, admin pages of a running proxy, capture by forward proxy, TCP.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '@weft/lib/clock';
import { silentLog } from '@weft/lib/log';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { applyBootstrap, RunningProxy } from '@weft/proxy/proxy';
import { fetchOnce, openClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until } from '../../kit/until.ts';
import { after, closedPort, echo, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { adsBootstrap } from './dynamic.ts';
import {
  cluster,
  fileLog,
  httpManager,
  httpManagerFor,
  listener,
  routeTo,
  startTestProxy,
  tcpProxy,
} from './fixture.ts';

function gateway(): { gate: Promise<unknown>; open: () => void } {
  let open = () => {};
  const gate = new Promise((resolve) => {
    open = () => resolve(null);
  });
  return { gate, open };
}

/** Resolves once nothing listens on the port any more. */
async function untilRefused(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isRefused = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
    });
    socket.destroy();
    if (isRefused) return;
  }
}

describe('draining', () => {
  it('lets a request in flight finish and refuses new connections', async (context) => {
    const { gate, open } = gateway();
    const upstream = await startUpstream(context, [after(gate, echo())]);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const port = proxy.port();
    const busy = await openClient(context, port);
    busy.request('GET', '/slow');
    await upstream.request(1);
    const stopped = proxy.running.stop(10_000);
    await untilRefused(port);
    open();
    const response = await busy.response();
    assert.equal(response.text, 'GET /slow');
    assert.equal(response.headers.connection, 'close');
    await busy.closed();
    await stopped;
  });

  it('closes idle connections at once', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const idle = await openClient(context, proxy.port());
    await idle.fetch('GET', '/');
    const startMs = performance.now();
    await proxy.running.stop(10_000);
    await idle.closed();
    assert.ok(performance.now() - startMs < 3000, 'an idle connection does not hold the end up');
  });

  it('closes connections on which nothing has come at once, too', async (context) => {
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [1])],
    }));
    const silent = await openClient(context, proxy.port());
    await until('it is accepted', () => proxy.stat('listener.127.0.0.1_0.downstream_cx_active') === 1);
    assert.equal((await proxy.admin('POST', '/drain_listeners')).status, 200);
    await silent.closed();
  });

  it('does not wait for the rest of a request that has had its answer', async (context) => {
    const answer = { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'enough' } } };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([answer]))],
      clusters: [],
    }));
    const client = await openClient(context, proxy.port());
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n');
    assert.equal((await client.response()).text, 'enough');
    assert.equal((await proxy.admin('POST', '/drain_listeners')).status, 200);
    await client.closed();
  });

  it('of inbound listeners leaves the others alone', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        { ...listener('inbound', httpManager([routeTo('a')])), traffic_direction: 'INBOUND' },
        { ...listener('outbound', httpManager([routeTo('a')])), traffic_direction: 'OUTBOUND' },
      ],
      clusters: [cluster('a', [upstream.port])],
    }));
    const inbound = proxy.port('inbound');
    const kept = await openClient(context, proxy.port('outbound'));
    const leaving = await openClient(context, inbound);
    assert.equal((await kept.fetch('GET', '/')).status, 200);
    assert.equal((await leaving.fetch('GET', '/')).status, 200);

    assert.equal((await proxy.admin('POST', '/drain_listeners?inboundonly&graceful')).status, 200);
    assert.equal((await leaving.fetch('GET', '/')).headers.connection, 'close');
    assert.equal((await fetchOnce(context, inbound, '/')).status, 200);

    assert.equal((await proxy.admin('POST', '/drain_listeners?inboundonly')).status, 200);
    await assert.rejects(openClient(context, inbound));
    assert.equal((await kept.fetch('GET', '/')).headers.connection, undefined);
    assert.equal((await fetchOnce(context, proxy.port('outbound'), '/')).status, 200);
    assert.equal((await proxy.admin('GET', '/ready')).status, 200);
  });

  it('closes the listeners when the time of a graceful drain is over, unless they are to stay', async (context) => {
    const clock = new LeapClock();
    const proxy = await startTestProxy(
      context,
      () => ({ listeners: [listener('main', httpManager([]))], clusters: [] }),
      clock,
    );
    const port = proxy.port();
    await proxy.admin('POST', '/drain_listeners?graceful&skip_exit');
    await clock.leap(31_000);
    assert.equal((await fetchOnce(context, port, '/')).headers.connection, 'close');
    await proxy.admin('POST', '/drain_listeners?graceful');
    await clock.leap(29_000);
    assert.equal((await fetchOnce(context, port, '/')).status, 404);
    await clock.leap(2000);
    await assert.rejects(openClient(context, port), /ECONNREFUSED/);
  });

  for (const workers of process.platform === 'linux' ? [1, 2] : [1]) {
    it(`of the health check alone ends connections with their next response, until it is taken back, ${workers} workers`, async (context) => {
      const build = () => ({ listeners: [listener('main', httpManager([]))], clusters: [] });
      const proxy = await startTestProxy(context, build, systemClock, workers);
      const kept = await openClient(context, proxy.port());
      const ask = () => kept.fetch('GET', '/');
      assert.equal((await ask()).headers.connection, undefined);
      await proxy.admin('POST', '/healthcheck/fail');
      await proxy.running.workers?.settled();
      assert.equal((await ask()).headers.connection, 'close');
      await kept.closed();
      await proxy.admin('POST', '/healthcheck/ok');
      await proxy.running.workers?.settled();
      assert.equal((await fetchOnce(context, proxy.port(), '/')).status, 404);
      const later = await openClient(context, proxy.port());
      assert.equal((await later.fetch('GET', '/')).headers.connection, undefined);
    });
  }

  it('makes /ready say 503', async (context) => {
    const proxy = await startTestProxy(context, () => ({ listeners: [], clusters: [] }));
    assert.deepEqual(await proxy.admin('GET', '/ready'), { status: 200, body: 'LIVE\n' });
    await proxy.admin('POST', '/healthcheck/fail');
    assert.equal((await proxy.admin('GET', '/ready')).status, 503);
    await proxy.admin('POST', '/healthcheck/ok');
    assert.equal((await proxy.admin('GET', '/ready')).status, 200);
    await proxy.admin('POST', '/drain_listeners?graceful');
    assert.equal((await proxy.admin('GET', '/server_info')).status, 200);
  });
});

describe('a proxy that has a control plane', () => {
  it('is not ready before that is asked, though nothing is waited for', () => {
    const { clusters, more } = adsBootstrap(1);
    const json = { static_resources: { clusters }, ...more };
    const bootstrap = messageFromJson('envoy.config.bootstrap.v3.Bootstrap', json, []);
    const clock = systemClock;
    const proxy = new RunningProxy({ bootstrap, configPath: 'test', log: silentLog(clock), clock });
    assert.deepEqual(applyBootstrap(proxy), []);
    assert.deepEqual(proxy.unready(), []);
    assert.equal(proxy.isReady, false);
  });
});

describe('the admin pages of a running proxy', () => {
  it('show its listeners, clusters, configuration and metrics', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    }));
    await fetchOnce(context, proxy.port(), '/');
    assert.equal((await proxy.admin('GET', '/listeners')).body, `main::127.0.0.1:${proxy.port()}\n`);
    assert.match(
      (await proxy.admin('GET', '/clusters')).body,
      new RegExp(`^a::127\\.0\\.0\\.1:${upstream.port}::rq_total::1$`, 'm'),
    );
    const clusters = await proxy.adminJson('/config_dump?resource=static_clusters&mask=cluster.name');
    assert.deepEqual(clusters.configs, [
      {
        '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster',
        cluster: { '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name: 'a' },
      },
    ]);
    const prometheus = (await proxy.admin('GET', '/stats/prometheus')).body;
    assert.match(prometheus, /^envoy_cluster_upstream_rq_total\{envoy_cluster_name="a"\} 1$/m);
    assert.match(
      prometheus,
      /^envoy_http_downstream_rq_xx\{envoy_response_code_class="2",envoy_http_conn_manager_prefix="test"\} 1$/m,
    );
    assert.equal((await proxy.adminJson('/server_info')).state, 'LIVE');
    for (const page of [
      '/',
      '/certs',
      '/config_dump?include_eds',
      '/init_dump',
      '/memory',
      '/logging',
      '/decisions',
      '/stats?format=json',
    ]) {
      assert.equal((await proxy.admin('GET', page)).status, 200, page);
    }
  });
});

describe('capture by forward proxy', () => {
  const authorization = `Basic ${Buffer.from('reviews:s3cret').toString('base64')}`;
  const capture = {
    name: 'weft.filters.http.capture_auth',
    typed_config: {
      '@type': 'type.googleapis.com/weft.extensions.filters.http.capture_auth.v1.CaptureAuth',
      credential_sha256: createHash('sha256').update('s3cret').digest('hex'),
    },
  };

  it('routes absolute-form requests by their authority and keeps the credential to itself', async (context) => {
    const upstream = await startUpstream(context);
    const hosts = [{ name: 'reviews', domains: ['reviews:9080'], routes: [routeTo('a')] }];
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManagerFor(hosts, { filters: [capture] }))],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    const refused = await client.fetch('GET', 'http://reviews:9080/x', { host: 'other' });
    assert.equal(refused.status, 407);
    assert.match(refused.headers['proxy-authenticate'] ?? '', /^Basic /);
    const allowed = await openClient(context, proxy.port());
    const response = await allowed.fetch('GET', 'http://reviews:9080/x?y=1', {
      host: 'other',
      'proxy-authorization': authorization,
      'proxy-connection': 'keep-alive',
    });
    assert.equal(response.text, 'GET /x?y=1');
    const [seen] = upstream.requests;
    assert.equal(seen?.headers.host, 'reviews:9080');
    assert.equal(seen?.headers['proxy-authorization'], undefined);
    assert.equal(seen?.headers['proxy-connection'], undefined);
    const wrong = `Basic ${Buffer.from('reviews:guess').toString('base64')}`;
    assert.equal(
      (
        await (
          await openClient(context, proxy.port())
        ).fetch('GET', 'http://reviews:9080/', { 'proxy-authorization': wrong })
      ).status,
      407,
    );
  });

  it('refuses by a plain 407, whatever the request carries', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        listener(
          'main',
          httpManager([routeTo('a')], {
            filters: [capture],
            manager: { upgrade_configs: [{ upgrade_type: 'CONNECT' }] },
          }),
        ),
      ],
      clusters: [cluster('a', [upstream.port])],
    }));
    for (const [method, target] of [
      ['POST', 'http://reviews:9080/reviews.Reviews/Get'],
      ['CONNECT', 'reviews:9080'],
    ] as const) {
      const client = await openClient(context, proxy.port());
      const headers = { host: 'reviews:9080', 'content-type': 'application/grpc' };
      const refused = await client.fetch(method, target, headers);
      assert.equal(refused.status, 407, method);
      assert.match(refused.headers['proxy-authenticate'] ?? '', /^Basic /);
      assert.equal(refused.headers['grpc-status'], undefined);
      assert.equal(refused.headers['content-type'], 'text/plain');
      assert.match(refused.text, /credential/);
    }
    assert.equal(upstream.requests.length, 0);
  });

  it('carries CONNECT tunnels to an endpoint', async (context) => {
    const upstream = await startUpstream(context);
    const route = {
      match: { connect_matcher: {} },
      route: { cluster: 'a', upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
    };
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        listener(
          'main',
          httpManager([route], { filters: [capture], manager: { upgrade_configs: [{ upgrade_type: 'CONNECT' }] } }),
        ),
      ],
      clusters: [cluster('a', [upstream.port])],
    }));
    const client = await openClient(context, proxy.port());
    client.request('CONNECT', 'reviews:9080', { host: 'reviews:9080', 'proxy-authorization': authorization });
    assert.equal((await client.response()).status, 200);
    assert.equal((await client.fetch('GET', '/inside')).text, 'GET /inside');
  });
});

describe('the TCP proxy', () => {
  it('carries bytes both ways, half-close included, and logs the connection', async (context) => {
    const server = await startTcpServer(context, (socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
      });
      socket.on('end', () => socket.end(`got ${Buffer.concat(chunks).toString()}`));
    });
    const proxy = await startTestProxy(context, (logPath) => ({
      listeners: [
        listener(
          'main',
          tcpProxy('a', {
            access_log: [fileLog(logPath, '%UPSTREAM_CLUSTER% %BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_FLAGS%')],
          }),
        ),
      ],
      clusters: [cluster('a', [server])],
    }));
    const socket = connect({ port: proxy.port(), host: '127.0.0.1', allowHalfOpen: true });
    context.after(() => {
      socket.destroy();
    });
    socket.end('hello');
    let text = '';
    for await (const chunk of socket) text += chunk;
    assert.equal(text, 'got hello');
    await until('the connection is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    assert.deepEqual(await proxy.accessLog(), ['a 5 9 -']);
  });

  it('ends the connection when nothing takes it', async (context) => {
    const dead = await closedPort();
    const proxy = await startTestProxy(context, (logPath) => ({
      listeners: [listener('main', tcpProxy('a', { access_log: [fileLog(logPath, '%RESPONSE_FLAGS%')] }))],
      clusters: [cluster('a', [dead])],
    }));
    const client = await openClient(context, proxy.port());
    await client.closed();
    await until('it is logged', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    assert.match((await proxy.accessLog())[0] ?? '', /^UF/);
  });
});
