import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatIssue } from '@weft/lib/issue';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { loadBootstrap, parseBootstrap } from './load-bootstrap.ts';

const good = `node: { id: test, cluster: test }
admin:
  address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
static_resources:
  listeners:
    - name: http
      address: { socket_address: { address: 0.0.0.0, port_value: 8080 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - match: { prefix: / }
                          route: { cluster: web, timeout: 3s, retry_policy: { retry_on: 5xx, num_retries: 2 } }
  clusters:
    - name: web
      type: STATIC
      connect_timeout: 0.25s
      load_assignment:
        cluster_name: web
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9000 } } }
`;

function problems(text: string): string[] {
  const { issues } = parseBootstrap(text, 'b.yaml');
  return issues.map((issue) => `${issue.origin?.line ?? '-'} ${issue.level} ${issue.code} ${issue.path ?? ''}`.trim());
}

test('loads a bootstrap without a remark', () => {
  const { bootstrap, issues } = parseBootstrap(good, 'b.yaml');
  assert.deepEqual(issues, []);
  const listener = bootstrap?.staticResources?.listeners?.[0];
  assert.equal(listener?.address?.socketAddress?.portValue, 8080);
  const filter = listener?.filterChains?.[0]?.filters?.[0]?.typedConfig;
  assert.ok(filter !== undefined);
  const manager = unpackAny(
    filter,
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  );
  assert.deepEqual(manager.routeConfig?.virtualHosts?.[0]?.routes?.[0]?.route?.timeout, { seconds: 3 });
});

test('loads the same from JSON, tabs and all', () => {
  const json = JSON.stringify({ node: { id: 'x' }, staticResources: { clusters: [{ name: 'web' }] } }, null, '\t');
  const { bootstrap, issues } = parseBootstrap(json, 'b.json');
  assert.deepEqual(issues, []);
  assert.deepEqual(bootstrap, { node: { id: 'x' }, staticResources: { clusters: [{ name: 'web' }] } });
});

test('names the line of every problem, also inside an extension', () => {
  const bad = good
    .replace('port_value: 8080', 'port: 8080')
    .replace('stat_prefix: ingress', 'stat_prefix: ingress\n                proxy_status_config: {}')
    .replace('timeout: 3s', 'timeout: 3')
    .replace('type: STATIC', 'type: STATIC\n      health_checks: []\n      upstream_config: {}');
  assert.deepEqual(problems(bad), [
    '7 error WEFT0101 static_resources.listeners[0].address.socket_address.port',
    '25 error WEFT0110 static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.timeout',
    '14 error WEFT0120 static_resources.listeners[0].filter_chains[0].filters[0].typed_config.proxy_status_config',
    '30 error WEFT0120 static_resources.clusters[0].upstream_config',
  ]);
});

test('finds the line of a field spelt in camelCase that is refused under its original name', () => {
  assert.deepEqual(problems('staticResources:\n  clusters:\n    - name: a\n      upstreamConfig: {}\n'), [
    '4 error WEFT0120 static_resources.clusters[0].upstream_config',
  ]);
});

test('gives no bootstrap when there is an error, and one when there are warnings only', () => {
  assert.equal(parseBootstrap('nod: {}', 'b.yaml').bootstrap, null);
  const warned = parseBootstrap('stats_config: { use_all_default_tags: true }', 'b.yaml');
  assert.notEqual(warned.bootstrap, null);
  assert.match(
    formatIssue(warned.issues[0] ?? assert.fail()),
    /^b\.yaml:1:1: warning WEFT0121 stats_config: has no effect/,
  );
});

const broken: [name: string, text: string, expected: string[]][] = [
  ['a syntax error', 'node: {\n  id: x\nadmin: ]', ['3 error WEFT0131']],
  ['a key given twice', 'node: {}\nadmin: {}\nnode: {}', ['3 error WEFT0131']],
  ['an empty file', '', ['- error WEFT0131']],
  ['a file of comments', '# nothing\n', ['- error WEFT0131']],
  ['two documents', 'node: {}\n---\nnode: {}', ['2 error WEFT0131']],
  ['a list', '- a\n- b\n', ['1 error WEFT0102']],
  ['a text', 'hello', ['1 error WEFT0102']],
  ['an unknown alias', 'node: *nothing', ['- error WEFT0131']],
];

for (const [name, text, expected] of broken) {
  test(`reports ${name} with its line`, () => {
    const found = problems(text);
    assert.deepEqual([...new Set(found)].slice(0, 1), expected);
    assert.equal(parseBootstrap(text, 'b.yaml').bootstrap, null);
  });
}

test('refuses aliases that would grow without bound', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i++)
    lines.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  assert.deepEqual(problems(lines.join('\n')), ['- error WEFT0131']);
});

test('reports a file that is missing or a directory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-bootstrap-'));
  try {
    const text = (path: string) => formatIssue(loadBootstrap(path).issues[0] ?? assert.fail());
    assert.match(text(join(folder, 'none.yaml')), /error WEFT0130.*there is no such file/);
    assert.match(text(folder), /error WEFT0130.*it is a directory/);
    const file = join(folder, 'b.yaml');
    writeFileSync(file, good);
    assert.notEqual(loadBootstrap(file).bootstrap, null);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('checks that names are given, unique, and exist', () => {
  const text = `dynamic_resources:
  lds_config: { ads: {} }
  cds_config: { resource_api_version: V3 }
  ads_config:
    api_type: GRPC
    grpc_services: [{ envoy_grpc: { cluster_name: xds } }]
static_resources:
  clusters:
    - name: a
    - name: a
    - type: STATIC
`;
  assert.deepEqual(problems(text), [
    '11 error WEFT0132 static_resources.clusters[2]',
    '10 error WEFT0132 static_resources.clusters[1].name',
    '3 error WEFT0132 dynamic_resources.cds_config',
    '1 error WEFT0132 node.id',
    '6 error WEFT0132 dynamic_resources.ads_config.grpc_services[0].envoy_grpc.cluster_name',
  ]);
});

test('accepts the bootstrap that an Istio agent writes', () => {
  const text = `
application_log_config: { log_format: { text_format: "%v" } }
node:
  id: sidecar~10.0.0.1~reviews-1.default~default.svc.cluster.local
  cluster: reviews.default
  locality: { region: r }
  metadata: { NAMESPACE: default, LABELS: { app: reviews }, PROXY_CONFIG: { concurrency: 2, drainDuration: 45s } }
layered_runtime: { layers: [{ name: global config, static_layer: { re2.max_program_size.error_level: "32768" } }, { name: admin, admin_layer: {} }] }
bootstrap_extensions:
  - name: envoy.bootstrap.internal_listener
    typed_config: { "@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener, buffer_size_kb: 64 }
stats_config: { use_all_default_tags: false, stats_tags: [{ tag_name: cluster_name, regex: "^cluster.((.+?)\\\\.)" }] }
admin:
  profile_path: /var/lib/istio/data/envoy.prof
  address: { socket_address: { address: 127.0.0.1, port_value: 15000 } }
dynamic_resources:
  lds_config: { ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3 }
  cds_config: { ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3 }
  ads_config:
    api_type: DELTA_GRPC
    set_node_on_first_message_only: true
    transport_api_version: V3
    grpc_services: [{ envoy_grpc: { cluster_name: xds-grpc } }]
static_resources:
  clusters:
    - name: prometheus_stats
      type: STATIC
      connect_timeout: 0.250s
      lb_policy: ROUND_ROBIN
      load_assignment: { cluster_name: p, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 15000 } } } }] }] }
    - name: xds-grpc
      type: STATIC
      connect_timeout: 1s
      lb_policy: ROUND_ROBIN
      load_assignment: { cluster_name: xds-grpc, endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: ./etc/istio/proxy/XDS } } } }] }] }
      circuit_breakers:
        thresholds:
          - { priority: DEFAULT, max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 }
          - { priority: HIGH, max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 }
      upstream_connection_options: { tcp_keepalive: { keepalive_time: 300 } }
      max_requests_per_connection: ~
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
`;
  const { bootstrap, issues } = parseBootstrap(text, 'istio.yaml');
  assert.deepEqual(issues.filter((issue) => issue.level === 'error').map(formatIssue), []);
  assert.notEqual(bootstrap, null);
});

test('takes a limit of all connections from the overload manager, and nothing else that it could do', () => {
  const monitor = (name: string, type: string, field: string): string =>
    `    - { name: ${name}, typed_config: { "@type": type.googleapis.com/envoy.extensions.resource_monitors.${type}, ${field} } }\n`;
  const all = 'downstream_connections.v3.DownstreamConnectionsConfig';
  const manager = `${good}overload_manager:\n  refresh_interval: 0.25s\n  resource_monitors:\n`;
  assert.deepEqual(problems(manager + monitor('all', all, 'max_active_downstream_connections: 100')), [
    '35 warning WEFT0121 overload_manager.refresh_interval',
  ]);
  const bad = `${manager}${monitor('none', all, 'max_active_downstream_connections: 0')}${monitor('heap', 'fixed_heap.v3.FixedHeapConfig', 'max_heap_size_bytes: 1')}  actions: [{ name: envoy.overload_actions.shrink_heap }]\n`;
  assert.deepEqual(problems(bad), [
    '35 warning WEFT0121 overload_manager.refresh_interval',
    '38 error WEFT0123 overload_manager.resource_monitors[1].typed_config',
    '39 error WEFT0120 overload_manager.actions',
    '37 error WEFT0132 overload_manager.resource_monitors[0].typed_config.max_active_downstream_connections',
  ]);
});
