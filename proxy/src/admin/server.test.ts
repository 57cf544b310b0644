import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { google } from '@weft/api/xds/types';
import { PausedClock } from '@weft/lib/clock';
import { LogControl, silentLog } from '@weft/lib/log';
import { MetricsRegistry } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import { fakeView } from '../../../test/kit/logged-view.ts';
import { fault } from '../fault/fault.ts';
import { DecisionLog } from '../telemetry/decisions.ts';
import { startAdminServer } from './server.ts';
import type { AdminState, HostReport, ResourceDump, ResourceKind, ServerState } from './state.ts';

const clusterType = 'envoy.config.cluster.v3.Cluster';

function dump(name: string, stage: ResourceDump['stage'], resource: google.protobuf.Any | null): ResourceDump {
  return {
    name,
    stage,
    resource,
    version: stage === 'static' ? '' : '7',
    updatedWallMs: Date.UTC(2026, 0, 1),
    clientStatus: 'ACKED',
    refused: null,
  };
}

const secret = packAny('envoy.extensions.transport_sockets.tls.v3.Secret', {
  name: 'default',
  tlsCertificate: {
    certificateChain: { inlineString: 'PUBLIC' },
    privateKey: { inlineBytes: Buffer.from('TOP SECRET') },
    password: { filename: '/etc/passphrase' },
  },
});

const host: HostReport = {
  key: '10.0.0.7:9080',
  address: '10.0.0.7',
  port: 9080,
  isPipe: false,
  hostname: '',
  weight: 1,
  priority: 0,
  region: 'r',
  zone: '',
  subZone: '',
  isEjected: true,
  isCanary: false,
  edsHealth: 'UNKNOWN',
  cxActive: 1,
  cxConnectFail: 0,
  cxTotal: 2,
  rqActive: 0,
  rqError: 3,
  rqSuccess: 4,
  rqTimeout: 0,
  rqTotal: 7,
};

class FakeState implements AdminState {
  readonly version = '0.1.0';
  readonly clock = new PausedClock();
  readonly startedWallMs = Date.UTC(2026, 0, 1) - 61_000;
  readonly concurrency = 1;
  readonly configPath = 'bootstrap.yaml';
  readonly metrics = new MetricsRegistry();
  readonly logControl = new LogControl('info');
  readonly decisions = new DecisionLog('t');
  readonly wait = null;
  readonly bootstrap = { node: { id: 'sidecar~<x>', cluster: 'c' } };
  readonly calls: unknown[] = [];
  state: ServerState = 'LIVE';
  readonly dumps: Partial<Record<ResourceKind, ResourceDump[]>> = {
    cluster: [
      dump('a', 'static', packAny(clusterType, { name: 'a' })),
      dump('b', 'active', packAny(clusterType, { name: 'b', connectTimeout: { seconds: 3 } })),
      {
        ...dump('c', 'warming', packAny(clusterType, { name: 'c' })),
        refused: { resource: null, version: '8', details: 'WEFT0100: no', wallMs: 0 },
      },
    ],
    listener: [
      dump('in', 'active', packAny('envoy.config.listener.v3.Listener', { name: 'in' })),
      dump('in', 'warming', packAny('envoy.config.listener.v3.Listener', { name: 'in' })),
    ],
    secret: [dump('default', 'active', secret), { ...dump('ROOTCA', 'warming', null), clientStatus: 'REQUESTED' }],
    endpoint: [dump('b', 'active', packAny('envoy.config.endpoint.v3.ClusterLoadAssignment', { clusterName: 'b' }))],
    route: [dump('odd', 'active', { typeUrl: 'type.googleapis.com/no.such.Type', value: new Uint8Array(3) })],
  };

  serverState(): ServerState {
    return this.state;
  }
  resources(kind: ResourceKind): readonly ResourceDump[] {
    return this.dumps[kind] ?? [];
  }
  versionInfo(): string {
    return '7';
  }
  memory() {
    return process.memoryUsage();
  }
  clusters() {
    return [
      {
        name: 'web',
        isAddedByApi: true,
        edsServiceName: 'svc',
        normal: { maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, maxRetries: 4 },
        high: { maxConnections: Number.POSITIVE_INFINITY, maxPendingRequests: 2, maxRequests: 3, maxRetries: 4 },
        hosts: [host],
      },
    ];
  }
  listeners() {
    return [
      { name: 'in', address: '127.0.0.1', port: 8080 },
      { name: 'inner', address: '', port: 0 },
    ];
  }
  certificates() {
    const now = this.clock.wallMs();
    const leaf = {
      path: 'default',
      serial: '0a',
      uriSans: ['spiffe://x'],
      dnsSans: [],
      ipSans: ['10.0.0.1'],
      validFromWallMs: now,
      expiresWallMs: now + 2.5 * 86_400_000,
    };
    return [{ roots: [], chain: [leaf] }];
  }
  unready() {
    return [{ name: 'listeners', targets: ['in'] }];
  }
  refreshMetrics(): void {
    this.metrics.scope({ prefix: 'server' }).gauge('uptime').set(61);
  }
  drainListeners(options: unknown): void {
    this.calls.push(['drain', options]);
  }
  quit(): void {
    this.calls.push(['quit']);
  }
  setHealthCheckFailed(isFailed: boolean): void {
    this.calls.push(['failed', isFailed]);
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

async function start(context: TestContext) {
  const state = new FakeState();
  const server = await startAdminServer({ address: '127.0.0.1', port: 0, state, log: silentLog(state.clock) });
  context.after(() => server.close());
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port: server.port, method, path, headers, agent: false },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: text, type: response.headers['content-type'] ?? '' }),
          );
        },
      );
      request.on('error', reject).end(body);
    });
  const get = (path: string) => ask('GET', path);
  const json = async (path: string): Promise<Record<string, unknown>> => JSON.parse((await get(path)).body);
  return { state, server, ask, get, json };
}

describe('admin server', () => {
  it('answers /ready by the state of the server', async (context) => {
    const { state, get } = await start(context);
    assert.deepEqual(await get('/ready'), { status: 200, body: 'LIVE\n', type: 'text/plain; charset=utf-8' });
    state.state = 'PRE_INITIALIZING';
    assert.equal((await get('/ready')).status, 503);
    state.state = 'DRAINING';
    assert.equal((await get('/ready')).body, 'DRAINING\n');
  });

  it('makes changes by POST only', async (context) => {
    const { state, ask } = await start(context);
    for (const path of [
      '/drain_listeners',
      '/quitquitquit',
      '/healthcheck/fail',
      '/healthcheck/ok',
      '/logging?level=debug',
    ]) {
      assert.equal((await ask('GET', path)).status, 405, path);
    }
    assert.deepEqual(state.calls, []);
    assert.equal((await ask('POST', '/drain_listeners?skip_exit')).status, 400);
    assert.deepEqual(state.calls, []);
    assert.equal((await ask('POST', '/drain_listeners?graceful')).body, 'OK\n');
    await ask('POST', '/quitquitquit');
    await ask('POST', '/healthcheck/fail');
    await ask('POST', '/healthcheck/ok', {}, 'an ignored body');
    assert.deepEqual(state.calls, [
      ['drain', { isGraceful: true, staysOpen: false, isInboundOnly: false }],
      ['quit'],
      ['failed', true],
      ['failed', false],
    ]);
    assert.equal((await ask('POST', '/ready')).status, 405);
    assert.equal((await ask('DELETE', '/stats')).status, 405);
    assert.equal((await ask('HEAD', '/stats')).status, 200);
  });

  it('serves no page to a browser that another site sent', async (context) => {
    const { state, ask, server } = await start(context);
    assert.equal((await ask('GET', '/stats', { host: 'evil.example' })).status, 403);
    assert.equal((await ask('GET', '/stats', { host: 'localhost:1' })).status, 200);
    assert.equal((await ask('GET', '/stats', { host: '[::1]' })).status, 200);
    assert.equal((await ask('GET', '/stats', { host: '127.0.0.1.evil.example' })).status, 403);
    assert.equal((await ask('POST', '/quitquitquit', { origin: 'http://evil.example' })).status, 403);
    assert.equal((await ask('POST', '/quitquitquit', { 'sec-fetch-site': 'cross-site' })).status, 403);
    assert.deepEqual(state.calls, []);
    const own = `127.0.0.1:${server.port}`;
    assert.equal((await ask('POST', '/quitquitquit', { host: own, origin: `http://${own}` })).status, 200);
  });

  it('refuses a large body', async (context) => {
    const { ask } = await start(context);
    assert.equal((await ask('POST', '/healthcheck/ok', {}, 'x'.repeat(70_000))).status, 413);
  });

  it('survives odd queries', async (context) => {
    const { get } = await start(context);
    const odd: readonly [string, number][] = [
      ['/nope', 404],
      ['/%', 400],
      ['/%00', 404],
      ['/stats?filter=(', 400],
      ['/stats?filter=(a%2B)%2B%24', 200],
      ['/stats?format=xml', 400],
      ['/stats?type=constructor', 400],
      ['/clusters?format=xml', 400],
      ['/listeners?format=xml', 400],
      ['/config_dump?resource=nope', 404],
      ['/config_dump?resource=@type', 404],
      ['/config_dump?resource=constructor', 404],
      ['/config_dump?mask=a..b', 400],
      ['/config_dump?name_regex=[', 400],
      ['/decisions?limit=x', 400],
      ['/decisions/none', 404],
      ['/?a=%zz', 200],
    ];
    for (const [path, status] of odd) assert.equal((await get(path)).status, status, path);
  });

  it('survives bytes that are not HTTP', async (context) => {
    const { server, get } = await start(context);
    const socket = connect(server.port, '127.0.0.1');
    socket.setEncoding('latin1').end('\0\x01nonsense\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.equal((await get('/ready')).status, 200);
  });

  it('lists every page on its home page, changes as buttons, values escaped', async (context) => {
    const { get } = await start(context);
    const home = await get('/');
    assert.equal(home.type, 'text/html; charset=utf-8');
    assert.match(home.body, /<a href="\/stats">/);
    assert.match(home.body, /<form method="post" action="\/quitquitquit">/);
    assert.equal(home.body.includes('<x>'), false);
    assert.match((await get('/help')).body, /\/config_dump \(GET\)/);
  });
});

describe('/config_dump', () => {
  it('has Envoy’s envelope', async (context) => {
    const { json } = await start(context);
    const { configs } = (await json('/config_dump')) as { configs: Record<string, unknown>[] };
    assert.deepEqual(
      configs.map((config) => String(config['@type']).replace('type.googleapis.com/envoy.admin.v3.', '')),
      ['BootstrapConfigDump', 'ClustersConfigDump', 'ListenersConfigDump', 'RoutesConfigDump', 'SecretsConfigDump'],
    );
    assert.deepEqual(configs[0]?.bootstrap, { node: { id: 'sidecar~<x>', cluster: 'c' } });
    assert.deepEqual(configs[1], {
      '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump',
      version_info: '7',
      static_clusters: [
        {
          cluster: { '@type': `type.googleapis.com/${clusterType}`, name: 'a' },
          last_updated: '2026-01-01T00:00:00.000Z',
        },
      ],
      dynamic_active_clusters: [
        {
          version_info: '7',
          cluster: { '@type': `type.googleapis.com/${clusterType}`, name: 'b', connect_timeout: '3s' },
          last_updated: '2026-01-01T00:00:00.000Z',
          client_status: 'ACKED',
        },
      ],
      dynamic_warming_clusters: [
        {
          version_info: '7',
          cluster: { '@type': `type.googleapis.com/${clusterType}`, name: 'c' },
          last_updated: '2026-01-01T00:00:00.000Z',
          error_state: { last_update_attempt: '1970-01-01T00:00:00.000Z', details: 'WEFT0100: no', version_info: '8' },
          client_status: 'ACKED',
        },
      ],
    });
  });

  it('shows one entry per listener with its states', async (context) => {
    const { json } = await start(context);
    const { configs } = (await json('/config_dump?resource=dynamic_listeners')) as {
      configs: Record<string, unknown>[];
    };
    assert.equal(configs.length, 1);
    assert.deepEqual(Object.keys(configs[0] ?? {}), [
      '@type',
      'name',
      'active_state',
      'client_status',
      'warming_state',
    ]);
  });

  it('shows no private key and says which secrets are awaited', async (context) => {
    const { get, json } = await start(context);
    const { body } = await get('/config_dump');
    assert.equal(body.includes('TOP SECRET'), false);
    assert.equal(body.includes(Buffer.from('TOP SECRET').toString('base64')), false);
    assert.match(body, /PUBLIC/);
    assert.match(body, /\/etc\/passphrase/);
    const { configs } = (await json('/config_dump?resource=dynamic_warming_secrets')) as { configs: unknown[] };
    assert.deepEqual(configs, [
      {
        '@type': 'type.googleapis.com/envoy.admin.v3.SecretsConfigDump.DynamicSecret',
        name: 'ROOTCA',
        secret: { name: 'ROOTCA' },
        client_status: 'REQUESTED',
      },
    ]);
  });

  it('includes endpoints when asked', async (context) => {
    const { get } = await start(context);
    assert.equal((await get('/config_dump')).body.includes('EndpointsConfigDump'), false);
    assert.equal((await get('/config_dump?include_eds')).body.includes('EndpointsConfigDump'), true);
  });

  it('has no entries, and no error, for a field of which there are none', async (context) => {
    const { get, json } = await start(context);
    for (const query of [
      'resource=static_secrets',
      'resource=static_clusters&name_regex=^zzz$',
      'resource=static_endpoint_configs&include_eds',
    ]) {
      assert.deepEqual(await json(`/config_dump?${query}`), { configs: [] }, query);
    }
    assert.equal((await get('/config_dump?resource=static_endpoint_configs')).status, 404);
    assert.equal((await get('/config_dump?resource=')).body, (await get('/config_dump')).body);
  });

  it('filters by name and by field mask', async (context) => {
    const { json } = await start(context);
    const byName = (await json('/config_dump?resource=dynamic_active_clusters&name_regex=^b$&mask=cluster.name')) as {
      configs: unknown[];
    };
    assert.deepEqual(byName.configs, [
      {
        '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump.DynamicCluster',
        cluster: { '@type': `type.googleapis.com/${clusterType}`, name: 'b' },
      },
    ]);
    const masked = (await json('/config_dump?mask=bootstrap.node.id')) as { configs: unknown[] };
    assert.deepEqual(masked.configs[0], {
      '@type': 'type.googleapis.com/envoy.admin.v3.BootstrapConfigDump',
      bootstrap: { node: { id: 'sidecar~<x>' } },
    });
  });

  it('shows what it cannot read by type and size', async (context) => {
    const { json } = await start(context);
    const { configs } = (await json('/config_dump?resource=dynamic_route_configs')) as {
      configs: Record<string, unknown>[];
    };
    assert.deepEqual(configs[0]?.route_config, {
      '@type': 'type.googleapis.com/no.such.Type',
      unknown_message_bytes: 3,
    });
  });
});

describe('admin pages', () => {
  it('show clusters as Envoy does', async (context) => {
    const { get, json } = await start(context);
    const { body } = await get('/clusters');
    for (const line of [
      'web::observability_name::web',
      'web::default_priority::max_requests::3',
      'web::high_priority::max_connections::4294967295',
      'web::added_via_api::true',
      'web::eds_service_name::svc',
      'web::10.0.0.7:9080::rq_total::7',
      'web::10.0.0.7:9080::health_flags::/failed_outlier_check',
    ]) {
      assert.ok(body.split('\n').includes(line), line);
    }
    const status = (await json('/clusters?format=json')) as {
      cluster_statuses: { host_statuses: { health_status: unknown; address: unknown }[] }[];
    };
    const [shown] = status.cluster_statuses[0]?.host_statuses ?? [];
    assert.deepEqual(shown?.health_status, { failed_outlier_check: true, eds_health_status: 'HEALTHY' });
    assert.deepEqual(shown?.address, { socket_address: { address: '10.0.0.7', port_value: 9080 } });
  });

  it('show listeners and certificates', async (context) => {
    const { get, json } = await start(context);
    assert.equal((await get('/listeners')).body, 'in::127.0.0.1:8080\ninner::internal\n');
    const listeners = (await json('/listeners?format=json')) as { listener_statuses: unknown[] };
    assert.deepEqual(listeners.listener_statuses[1], { name: 'inner' });
    const certs = (await json('/certs')) as { certificates: { cert_chain: unknown[] }[] };
    assert.deepEqual(certs.certificates[0]?.cert_chain[0], {
      path: 'default',
      serial_number: '0a',
      subject_alt_names: [{ uri: 'spiffe://x' }, { ip_address: '10.0.0.1' }],
      days_until_expiration: '2',
      valid_from: '2026-01-01T00:00:00.000Z',
      expiration_time: '2026-01-03T12:00:00.000Z',
    });
  });

  it('show and filter metrics', async (context) => {
    const { state, get, json } = await start(context);
    const scope = state.metrics.scope({ prefix: 'cluster', tag: 'envoy_cluster_name', value: 'web' });
    scope.counter('upstream_rq_total').add(2);
    scope.counter('never');
    scope.histogram('upstream_rq_time').record(3);
    assert.match(
      (await get('/stats')).body,
      /^cluster\.web\.never: 0\ncluster\.web\.upstream_rq_total: 2\nserver\.uptime: 61\n/,
    );
    assert.equal((await get('/stats?usedonly&filter=rq_total')).body, 'cluster.web.upstream_rq_total: 2\n');
    assert.equal((await get('/stats?type=Gauges')).body, 'server.uptime: 61\n');
    assert.deepEqual(await json('/stats?format=json&type=Gauges'), { stats: [{ name: 'server.uptime', value: 61 }] });
    const scrape = await get('/stats/prometheus?usedonly');
    assert.equal(scrape.type, 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(scrape.body, /envoy_cluster_upstream_rq_time_bucket\{envoy_cluster_name="web",le="5"\} 1/);
    assert.equal((await get('/stats?format=prometheus&usedonly')).body, scrape.body);
  });

  it('change log levels, all or nothing', async (context) => {
    const { state, ask, get } = await start(context);
    state.logControl.component('xds');
    state.logControl.component('admin');
    assert.equal(
      (await ask('POST', '/logging?level=warning&xds=trace')).body,
      'active loggers:\n  admin: warn\n  xds: trace\n',
    );
    assert.equal((await ask('POST', '/logging?paths=admin:debug,xds:loud')).status, 400);
    assert.equal((await ask('POST', '/logging?nope=debug')).status, 400);
    assert.equal((await get('/logging')).body, 'active loggers:\n  admin: warn\n  xds: trace\n');
    await ask('POST', '/logging?paths=admin:debug,xds:info');
    assert.equal((await get('/logging')).body, 'active loggers:\n  admin: debug\n  xds: info\n');
  });

  it('explain decisions', async (context) => {
    const { state, json } = await start(context);
    state.decisions.record(
      fakeView({ decisionId: 't-9', fault: fault.no_route, status: 404, details: 'route_not_found' }),
    );
    assert.match(String((await json('/decisions/t-9')).explanation), /answered 404 by the mesh .*no route matches/);
    const list = (await json('/decisions?limit=5')) as { decisions: unknown[]; total: number };
    assert.equal(list.total, 1);
    assert.equal(list.decisions.length, 1);
  });

  it('tell of the process', async (context) => {
    const { json } = await start(context);
    const info = await json('/server_info');
    assert.equal(info.state, 'LIVE');
    assert.equal(info.uptime_current_epoch, '61s');
    assert.deepEqual(info.node, { id: 'sidecar~<x>', cluster: 'c' });
    assert.match(String((await json('/memory')).total_physical_bytes), /^\d+$/);
    assert.deepEqual(await json('/init_dump'), {
      unready_targets_dumps: [{ name: 'listeners', target_names: ['in'] }],
    });
  });
});
