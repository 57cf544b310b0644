import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Bench, runIn } from '../test-bench.ts';

/** A proxy's admin interface with fixed pages. */
async function makeAdmin(context: TestContext, pages: Readonly<Record<string, unknown>>): Promise<string> {
  const server = createServer((request, response) => {
    const page = pages[request.url ?? ''];
    response.statusCode = page === undefined ? 404 : 200;
    response.end(page === undefined ? 'no such page\n' : JSON.stringify(page));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const prefix = 'type.googleapis.com/envoy.admin.v3.';
const route = {
  match: { prefix: '/' },
  route: {
    weighted_clusters: {
      clusters: [
        { name: 'v1', weight: 90 },
        { name: 'v2', weight: 10 },
      ],
    },
  },
};
const dump = {
  configs: [
    { '@type': `${prefix}BootstrapConfigDump`, bootstrap: {} },
    {
      '@type': `${prefix}ClustersConfigDump`,
      static_clusters: [{ cluster: { name: 'xds-grpc' } }],
      dynamic_active_clusters: [{ version_info: '3', cluster: { name: 'outbound|80||a', type: 'EDS' } }],
    },
    {
      '@type': `${prefix}EndpointsConfigDump`,
      dynamic_endpoint_configs: [
        {
          endpoint_config: {
            cluster_name: 'outbound|80||a',
            endpoints: [
              {
                lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } } }],
              },
            ],
          },
        },
      ],
    },
    {
      '@type': `${prefix}ListenersConfigDump`,
      dynamic_listeners: [
        {
          name: 'capture',
          active_state: {
            listener: {
              name: 'capture',
              address: { socket_address: { address: '127.0.0.1', port_value: 15001 } },
              filter_chains: [{}],
            },
          },
        },
        { name: 'refused', error_state: {} },
      ],
    },
    {
      '@type': `${prefix}RoutesConfigDump`,
      dynamic_route_configs: [{ route_config: { name: 'capture', virtual_hosts: [{ name: 'a', routes: [route] }] } }],
    },
    {
      '@type': `${prefix}SecretsConfigDump`,
      dynamic_active_secrets: [{ name: 'default', secret: { name: 'default', tls_certificate: {} } }],
    },
  ],
};

const workload = (name: string, admin: string, log = '/none.log') => ({ name, namespace: 'default', admin, log });

describe('weft proxy-config', () => {
  it('shows each part as a table', async (context) => {
    const admin = await makeAdmin(context, { '/config_dump?include_eds': dump });
    const bench = await Bench.make(context, [workload('web', admin)]);
    const show = async (part: string) => (await bench.run('proxy-config', 'web', part)).out;
    assert.match(await show('listeners'), /^NAME +ADDRESS +CHAINS\ncapture +127\.0\.0\.1:15001 +1\n$/);
    assert.match(await show('routes'), /capture +a +\/\* +v1 90, v2 10\n$/);
    assert.match(await show('clusters'), /xds-grpc +STATIC +ROUND_ROBIN\noutbound\|80\|\|a +EDS/);
    assert.match(await show('endpoints'), /outbound\|80\|\|a +127\.0\.0\.1:1 +HEALTHY/);
    assert.match(await show('secrets'), /default +certificate/);
    assert.match(await show('all'), /CHAINS[\s\S]*VIRTUAL HOST[\s\S]*BALANCING[\s\S]*HEALTH[\s\S]*HOLDS/);
  });

  it('gives the resources themselves as JSON, those of one name if asked', async (context) => {
    const admin = await makeAdmin(context, { '/config_dump?include_eds': dump });
    const bench = await Bench.make(context, [workload('web', admin)]);
    const clusters = JSON.parse(
      (await bench.run('proxy-config', 'web', 'clusters', '-o', 'json', '--name', 'outbound')).out,
    );
    assert.deepEqual(clusters, [{ name: 'outbound|80||a', type: 'EDS' }]);
    const all = JSON.parse((await bench.run('pc', 'default/web', '-o', 'json')).out);
    assert.deepEqual(Object.keys(all), ['listeners', 'routes', 'clusters', 'endpoints', 'secrets']);
  });

  it('says which workloads there are, and when one does not answer', async (context) => {
    const bench = await Bench.make(context, [workload('web', 'http://127.0.0.1:1'), workload('bare', '')]);
    assert.match(
      (await bench.run('proxy-config', 'x')).err,
      /WEFT0812: no workload is called x; the mesh runs web, bare/,
    );
    assert.match((await bench.run('proxy-config', 'web')).err, /WEFT0815: the proxy of web does not answer/);
    assert.match((await bench.run('proxy-config', 'bare')).err, /WEFT0815: bare runs without a proxy/);
  });
});

describe('weft explain', () => {
  it('finds the decision at whichever proxy made it', async (context) => {
    const silent = await makeAdmin(context, {});
    const knowing = await makeAdmin(context, {
      '/decisions/ab-1': { id: 'ab-1', code: 'no_route', explanation: 'there was no route\n' },
    });
    const bench = await Bench.make(context, [
      workload('a', silent),
      workload('b', knowing),
      workload('c', 'http://127.0.0.1:1'),
    ]);
    assert.equal((await bench.run('explain', 'ab-1')).out, 'there was no route\nproxy: b in namespace default\n');
    assert.equal(JSON.parse((await bench.run('explain', 'ab-1', '-o', 'json')).out).code, 'no_route');
    const missing = await bench.run('explain', 'ab-2');
    assert.equal(missing.status, 1);
    assert.match(missing.err, /WEFT0818.*these could not be asked: c/);
  });
});

describe('weft status', () => {
  const proxy = {
    workload: 'web',
    namespace: 'default',
    isConnected: true,
    ackedRevision: 7,
    wantedRevision: 7,
    isInSync: true,
    certificateExpiresAt: null,
    lastNack: null,
  };

  it('shows each proxy, and has status 1 while one is away', async (context) => {
    const bench = await Bench.make(context, [
      workload('web', 'http://127.0.0.1:1'),
      workload('late', 'http://127.0.0.1:1'),
    ]);
    bench.api.replies.set('GET /weft/v1/proxies', () => ({ status: 200, body: { proxies: [proxy] } }));
    const { status, out } = await bench.run('status');
    assert.equal(status, 1);
    assert.match(out, /default +web +yes +7 +yes +-\ndefault +late +no +0 +no/);
    const rows = JSON.parse((await bench.run('status', '-o', 'json')).out);
    assert.deepEqual(
      rows.map((row: { name: string; isInSync: boolean }) => [row.name, row.isInSync]),
      [
        ['web', true],
        ['late', false],
      ],
    );
  });

  it('shows the certificate that a proxy has by now, not the one that its stream was opened with', async (context) => {
    const inHours = (hours: number): string => new Date(Date.now() + (hours + 0.5) * 3_600_000).toISOString();
    const chain = [
      { path: 'other', expiration_time: inHours(1) },
      { path: 'default', expiration_time: inHours(20) },
    ];
    const admin = await makeAdmin(context, { '/certs': { certificates: [{ cert_chain: [] }, { cert_chain: chain }] } });
    const bench = await Bench.make(context, [workload('web', admin)]);
    const known = { ...proxy, certificateExpiresAt: inHours(-5) };
    bench.api.replies.set('GET /weft/v1/proxies', () => ({ status: 200, body: { proxies: [known] } }));
    assert.match((await bench.run('status')).out, /web +yes +7 +yes +in 20h\n$/);
  });

  it('does not say that a proxy wants the revision that it had when its connection ended', async (context) => {
    const bench = await Bench.make(context, [workload('web', 'http://127.0.0.1:1')]);
    const gone = { ...proxy, isConnected: false, isInSync: false };
    bench.api.replies.set('GET /weft/v1/proxies', () => ({ status: 200, body: { proxies: [gone] } }));
    assert.match((await bench.run('status')).out, /web +no +7 +no +-\n$/);
  });

  it('has status 0 when all are in sync, and tells what a proxy refused', async (context) => {
    const bench = await Bench.make(context, [workload('web', 'http://127.0.0.1:1')]);
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    bench.api.replies.set('GET /weft/v1/proxies', () => ({
      status: 200,
      body: { proxies: [{ ...proxy, certificateExpiresAt: inAnHour, lastNack: { message: 'bad cluster' } }] },
    }));
    const { status, out, err } = await bench.run('status');
    assert.equal(status, 0);
    assert.match(out, /in (59m|60m)/);
    assert.match(err, /web refused an update: bad cluster/);
  });
});

describe('weft logs', () => {
  it("prints a process's log, its sidecar's, or the last lines", async (context) => {
    const folder = (await Bench.make(context)).folder;
    const log = join(folder, 'default.web.log');
    writeFileSync(log, 'one\ntwo\nthree\n');
    writeFileSync(join(folder, 'default.web.proxy.log'), 'proxy\n');
    const bench = await Bench.make(context, [workload('web', '', log)]);
    assert.equal((await bench.run('logs', 'web')).out, 'one\ntwo\nthree\n');
    assert.equal((await bench.run('logs', 'web', '--tail', '2')).out, 'two\nthree\n');
    assert.equal((await bench.run('logs', 'web', '--tail', '9')).out, 'one\ntwo\nthree\n');
    assert.equal((await bench.run('logs', 'web', '--proxy')).out, 'proxy\n');
    assert.match((await bench.run('logs', 'web', '--tail', 'x')).err, /Give a number of lines/);
    assert.equal((await bench.run('logs', 'web', '--tail', '0')).out, '');
    writeFileSync(log, 'one\ntwo\nhalf a li');
    assert.equal((await bench.run('logs', 'web', '--tail', '2')).out, 'two\nhalf a li');
  });

  it('prints characters whole that lie across two reads', async (context) => {
    const folder = (await Bench.make(context)).folder;
    const log = join(folder, 'default.web.log');
    const text = `${'x'.repeat(64 * 1024 - 1)}äöü\n`;
    writeFileSync(log, text);
    const bench = await Bench.make(context, [workload('web', '', log)]);
    assert.equal((await bench.run('logs', 'web')).out, text);
  });

  it('says that no mesh is running, or that there is no log yet, of the control plane too', async (context) => {
    const bench = await Bench.make(context);
    assert.match((await bench.run('logs', 'control-plane')).err, /WEFT0817: control-plane has no log yet/);
    const { status, err } = await runIn('/nowhere', ['logs', 'control-plane']);
    assert.equal(status, 3);
    assert.match(err, /^weft: WEFT0801: no mesh is running/);
  });
});
