import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignment, endpoint, SampleClusters, settle, staticCluster } from '../../../test/kit/clusters.ts';

function codes(config: object): string[] {
  return new SampleClusters()
    .prepare(config)
    .issues.map(({ code, path }) => `${code} ${path?.replace('clusters["web"].', '')}`);
}

function compile(more: object): ReturnType<SampleClusters['get']> {
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', ['10.0.0.1:80'], more));
  return clusters.get('web');
}

test('has the defaults of Envoy, and a retry budget', () => {
  const web = compile({});
  assert.deepEqual(
    [web.connectTimeoutMs, web.idleTimeoutMs, web.maxRequestsPerConnection, web.protocol, web.bufferLimitBytes],
    [5000, 3_600_000, 0, 'http1', 1_048_576],
  );
  const { limits } = web.breakers;
  assert.deepEqual(
    [limits.maxConnections, limits.maxPending, limits.maxRequests, limits.maxRetries],
    [1024, 1024, 1024, null],
  );
});

test('reads limits of both priorities', () => {
  const thresholds = [
    { max_connections: 1, max_retries: 7 },
    { priority: 'HIGH', max_requests: 2, retry_budget: { budget_percent: { value: 50 }, min_retry_concurrency: 1 } },
    { max_connections: 99 },
  ];
  const web = compile({ circuit_breakers: { thresholds } });
  assert.deepEqual([web.breakers.limits.maxConnections, web.breakers.limits.maxRetries], [1, 7]);
  const { limits } = web.highBreakers;
  assert.deepEqual(
    [limits.maxRequests, limits.maxRetries, limits.retryBudgetPercent, limits.retryBudgetMin],
    [2, null, 50, 1],
  );
});

test('reads protocol options from their extension', () => {
  const options = (config: object): object => ({
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        ...config,
      },
    },
  });
  const web = compile(
    options({
      common_http_protocol_options: {
        idle_timeout: '5s',
        max_requests_per_connection: 10,
        max_connection_duration: '60s',
      },
      explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 7 } },
    }),
  );
  assert.deepEqual(
    [web.protocol, web.idleTimeoutMs, web.maxRequestsPerConnection, web.maxConnectDurationMs],
    ['http2', 5000, 10, 60_000],
  );
  assert.equal(web.config.protocol.http2Options?.maxConcurrentStreams, 7);
  assert.equal(compile(options({ use_downstream_protocol_config: {} })).protocol, 'use-downstream');
  assert.deepEqual(codes(staticCluster('web', [], options({}))).length, 1);
});

test('reads keep-alive and the origin of a cluster', () => {
  const origin = {
    kind: 'DestinationRule',
    namespace: 'default',
    name: 'reviews',
    generation: 3,
    file: 'a.yaml',
    line: 12,
  };
  const web = compile({
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 30 } },
    metadata: { filter_metadata: { 'weft.dev': { origin } } },
  });
  assert.deepEqual(web.keepAlive, { idleMs: 30_000 });
  assert.deepEqual(web.origin, origin);
});

test('knows Unix sockets and internal listeners as endpoints', () => {
  const clusters = new SampleClusters();
  clusters.put(
    staticCluster('sds', [{ endpoint: { address: { pipe: { path: '/run/sds.sock' } } } }]),
    staticCluster('inner', [
      { endpoint: { address: { envoy_internal_address: { server_listener_name: 'main', endpoint_id: '10.0.0.1' } } } },
    ]),
  );
  const [host] = clusters.get('sds').hosts;
  assert.deepEqual([host?.isPipe, host?.address, host?.port], [true, '/run/sds.sock', 0]);
  assert.equal(clusters.get('inner').internalListener, 'main');
  assert.equal(clusters.get('sds').internalListener, null);
});

test('auto_sni takes the name from DNS and is refused elsewhere', async () => {
  const tls = {
    name: 'tls',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext' },
  };
  const more = {
    transport_socket: tls,
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
  };
  const clusters = new SampleClusters();
  clusters.resolver.answers.set('api.test', { addresses: ['10.0.0.1'], ttlMs: null });
  clusters.prepare({ ...staticCluster('web', ['api.test:443'], more), type: 'STRICT_DNS' }).commit();
  await settle();
  assert.deepEqual(clusters.get('web').hosts[0]?.tlsNames, { serverName: 'api.test', expectedHost: 'api.test' });
  assert.ok(codes(staticCluster('web', ['10.0.0.1:443'], more)).some((text) => text.startsWith('WEFT0366')));
});

test('reports everything that is wrong, with the place of each', () => {
  const config = {
    name: 'web',
    type: 'STATIC',
    connect_timeout: '0s',
    lb_policy: 'CLUSTER_PROVIDED',
    transport_socket: {
      name: 'odd',
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tap.v3.Tap' },
    },
    outlier_detection: { max_ejection_percent: 101, interval: '0s' },
    circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 300 } } }] },
    load_assignment: assignment('web', [endpoint('10.0.0.1:0'), endpoint('example.test:80')]),
  };
  assert.deepEqual(codes(config).sort(), [
    'WEFT0355 load_assignment.endpoints[0].lb_endpoints[1].endpoint.address.socket_address.address',
    'WEFT0356 load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value',
    'WEFT0357 circuit_breakers.thresholds[0].retry_budget.budget_percent',
    'WEFT0357 outlier_detection.max_ejection_percent',
    'WEFT0358 connect_timeout',
    'WEFT0358 outlier_detection.interval',
    'WEFT0360 transport_socket.typed_config',
    'WEFT0363 lb_policy',
  ]);
});

test('refuses what no balancer can do', () => {
  assert.deepEqual(codes({ name: 'web', lb_policy: 'MAGLEV', maglev_lb_config: { table_size: 10 } }), [
    'WEFT0364 maglev_lb_config.table_size',
  ]);
  assert.deepEqual(
    codes({
      name: 'web',
      lb_policy: 'RING_HASH',
      ring_hash_lb_config: { minimum_ring_size: 10, maximum_ring_size: 5 },
    }),
    ['WEFT0364 ring_hash_lb_config'],
  );
  assert.deepEqual(codes({ name: 'web', lb_policy: 'LEAST_REQUEST', least_request_lb_config: { choice_count: 1 } }), [
    'WEFT0364 least_request_lb_config.choice_count',
  ]);
  assert.deepEqual(codes({ name: 'web', load_balancing_policy: {} }), ['WEFT0363 load_balancing_policy.policies']);
  assert.deepEqual(codes({ name: 'web', cluster_type: { name: 'redis' } }), ['WEFT0359 cluster_type']);
  assert.deepEqual(codes({ name: 'web', type: 'ORIGINAL_DST' }), ['WEFT0363 lb_policy']);
  assert.deepEqual(codes({ name: 'web', type: 'EDS', load_assignment: assignment('web', ['10.0.0.1:80']) }), [
    'WEFT0367 load_assignment',
  ]);
});

test('takes the first balancing policy it knows', () => {
  const policy = (name: string): object => ({
    typed_extension_config: {
      name,
      typed_config: { '@type': `type.googleapis.com/envoy.extensions.load_balancing_policies.${name}` },
    },
  });
  const list = [policy('pick_first.v3.PickFirst'), policy('random.v3.Random'), policy('maglev.v3.Maglev')];
  assert.equal(compile({ load_balancing_policy: { policies: list } }).config.balancer.policy.kind, 'random');
});
