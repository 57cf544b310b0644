import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { anyRequest, assignment, endpoint, hostOf, SampleClusters, staticCluster } from '../../../test/kit/clusters.ts';

const eds = (more: object = {}): object => ({
  name: 'web',
  type: 'EDS',
  eds_cluster_config: { eds_config: { ads: {} } },
  ...more,
});

test('a static cluster serves at once', () => {
  const clusters = new SampleClusters();
  const warm: string[] = [];
  clusters.set.onWarm((name) => warm.push(name));
  clusters.put(staticCluster('web', ['10.0.0.1:80']));
  assert.deepEqual(warm, ['web']);
  assert.equal(clusters.set.isWarm('web'), true);
  assert.equal(clusters.get('web').pick(anyRequest)?.key, '10.0.0.1:80');
  assert.equal(clusters.stat('web', 'membership_total'), 1);
});

test('an error in one cluster is found before any is changed', () => {
  const clusters = new SampleClusters();
  const change = clusters.prepare(staticCluster('good', ['10.0.0.1:80']), staticCluster('bad', ['nonsense:80']));
  assert.deepEqual(
    change.issues.map(({ code, path }) => [code, path]),
    [
      [
        'WEFT0355',
        'clusters["bad"].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address',
      ],
    ],
  );
  assert.equal(clusters.set.get('good'), null);
  assert.deepEqual(
    [...clusters.metrics.all()].map((scope) => scope.name.value ?? scope.name.prefix),
    ['cluster_manager', 'good'],
  );
});

test('the same configuration again changes nothing', () => {
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', ['10.0.0.1:80']));
  const before = clusters.get('web');
  clusters.put(staticCluster('web', ['10.0.0.1:80']));
  assert.equal(clusters.get('web'), before);
});

test('an EDS cluster asks for its endpoints and warms by them', () => {
  const clusters = new SampleClusters();
  const asked: (readonly string[])[] = [];
  clusters.set.onEndpointNames = (names) => asked.push(names);
  clusters.put(eds(), {
    ...eds(),
    name: 'other',
    eds_cluster_config: { service_name: 'other-service', eds_config: { ads: {} } },
  });
  assert.deepEqual(asked, [['other-service', 'web']]);
  assert.equal(clusters.set.isWarm('web'), false);
  clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80']));
  assert.equal(clusters.set.isWarm('web'), true);
  clusters.set.prepare(new Map(), ['other'], 'v2').commit();
  assert.deepEqual(asked.at(-1), ['web']);
});

test('an EDS cluster without an answer is used without hosts after its time', () => {
  const clusters = new SampleClusters();
  clusters.put(eds());
  clusters.clock.advance(14_900);
  assert.equal(clusters.set.isWarm('web'), false);
  clusters.clock.advance(200);
  assert.equal(clusters.set.isWarm('web'), true);
  clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80']));
  assert.equal(clusters.get('web').pick(anyRequest)?.key, '10.0.0.1:80');
});

test('a changed EDS cluster takes over the endpoints that are known', () => {
  const clusters = new SampleClusters();
  clusters.put(eds());
  clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80']));
  const old = clusters.get('web');
  const oldHost = old.pick(anyRequest);
  clusters.put(eds({ connect_timeout: '1s' }));
  const next = clusters.get('web');
  assert.notEqual(next, old);
  assert.equal(next.connectTimeoutMs, 1000);
  assert.equal(next.pick(anyRequest)?.key, '10.0.0.1:80');
  assert.equal(oldHost?.removed, true);
});

test('an EDS cluster with a new name serves by its old endpoints until the new ones come', () => {
  const clusters = new SampleClusters();
  clusters.put(eds());
  clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80']));
  clusters.put(eds({ eds_cluster_config: { service_name: 'next', eds_config: { ads: {} } } }));
  assert.deepEqual(clusters.set.wantedEndpointNames, ['next', 'web']);
  assert.equal(clusters.get('web').pick(anyRequest)?.key, '10.0.0.1:80');
  clusters.putEndpoints('web', assignment('web', ['10.0.0.3:80']));
  assert.equal(clusters.get('web').pick(anyRequest)?.key, '10.0.0.3:80');
  clusters.putEndpoints('next', assignment('next', ['10.0.0.2:80']));
  assert.equal(clusters.get('web').pick(anyRequest)?.key, '10.0.0.2:80');
  assert.equal(clusters.set.isWarm('web'), true);
});

test('a change of the hosts counts once for each priority, however many hosts come or go', () => {
  const clusters = new SampleClusters();
  clusters.put(eds());
  const put = (...priorities: (readonly string[])[]): number => {
    const endpoints = priorities.map((hosts, priority) => ({
      priority,
      lb_endpoints: hosts.map((address) => endpoint(address)),
    }));
    clusters.putEndpoints('web', { cluster_name: 'web', endpoints });
    return clusters.stat('web', 'membership_change');
  };
  assert.equal(put(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']), 1);
  assert.equal(put(['10.0.0.3:80', '10.0.0.2:80', '10.0.0.1:80']), 1);
  assert.equal(put(['10.0.0.1:80'], ['10.1.0.1:80', '10.1.0.2:80']), 3);
  assert.equal(put(['10.0.0.1:80', '10.1.0.1:80'], ['10.1.0.2:80']), 5);
  assert.equal(put(['10.0.0.1:80'], ['10.1.0.2:80']), 6);
});

test('removed endpoints leave the hosts until the cluster goes', () => {
  const clusters = new SampleClusters();
  clusters.put(eds());
  clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80']));
  clusters.set.prepareEndpoints(new Map(), ['web'], 'v2').commit();
  const host = clusters.get('web').pick(anyRequest);
  assert.equal(host?.key, '10.0.0.1:80');
  clusters.set.prepare(new Map(), ['web'], 'v2').commit();
  assert.equal(host?.removed, true);
});

test('endpoints that nobody asked for are not kept', () => {
  const clusters = new SampleClusters();
  clusters.putEndpoints('stray', assignment('stray', ['10.0.0.1:80']));
  clusters.put({ ...eds(), name: 'stray' });
  assert.equal(clusters.set.isWarm('stray'), false);
});

test('endpoints with errors are refused whole', () => {
  const clusters = new SampleClusters();
  clusters.put(eds());
  const broken = {
    endpoints: [
      {
        priority: 2,
        lbEndpoints: [
          { loadBalancingWeight: 0 },
          { endpoint: { address: { socketAddress: { address: 'name', portValue: 70_000 } } } },
          {},
        ],
      },
    ],
  };
  const { issues } = clusters.set.prepareEndpoints(new Map([['web', broken]]), [], 'v2');
  assert.deepEqual(
    issues.map((issue) => issue.code),
    ['WEFT0352', 'WEFT0355', 'WEFT0353', 'WEFT0351'],
  );
});

test('statistics outlive a change of the cluster and end with it', () => {
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', ['10.0.0.1:80']));
  clusters.get('web').stats.recordStatus(503);
  clusters.put(staticCluster('web', ['10.0.0.2:80']));
  assert.equal(clusters.stat('web', 'upstream_rq_503'), 1);
  assert.equal(clusters.stat('web', 'upstream_rq_5xx'), 1);
  assert.equal(clusters.stat('web', 'upstream_rq_completed'), 1);
  clusters.set.prepare(new Map(), ['web'], 'v2').commit();
  assert.deepEqual(
    [...clusters.metrics.all()].map((scope) => scope.name.prefix),
    ['cluster_manager'],
  );
});

test('an endpoint that changes its encryption becomes another host', () => {
  const clusters = new SampleClusters();
  const tls = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    sni: 'mesh',
  };
  const raw = { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer' };
  const matches = [
    { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transport_socket: { name: 'tls', typed_config: tls } },
    { name: 'tlsMode-disabled', match: {}, transport_socket: { name: 'raw', typed_config: raw } },
  ];
  clusters.put(eds({ transport_socket_matches: matches }));
  const marked = endpoint('10.0.0.1:80', {
    metadata: { filter_metadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' } } },
  });
  clusters.putEndpoints('web', assignment('web', [marked, '10.0.0.2:80']));
  const web = clusters.get('web');
  const [encrypted, plain] = [hostOf(web, '10.0.0.1:80'), hostOf(web, '10.0.0.2:80')];
  assert.equal(encrypted.tls?.serverName, 'mesh');
  assert.equal(plain.tls, null);
  clusters.putEndpoints('web', assignment('web', ['10.0.0.1:80', '10.0.0.2:80']));
  assert.equal(encrypted.removed, true);
  assert.equal(hostOf(web, '10.0.0.1:80').tls, null);
  assert.equal(hostOf(web, '10.0.0.2:80'), plain);
});

test('a cluster waits for the secrets of its encryption, for a bounded time', () => {
  const secret = { name: 'ROOTCA', sds_config: { ads: {} } };
  const context = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    common_tls_context: { validation_context_sds_secret_config: secret },
  };
  const encrypted = (name: string): object =>
    staticCluster(name, ['10.0.0.1:80'], { transport_socket: { name: 'tls', typed_config: context } });
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', ['10.0.0.9:80']));
  clusters.put(encrypted('web'), encrypted('first'));
  assert.deepEqual(
    [clusters.set.isWarm('web'), clusters.set.isServing('web'), clusters.set.isServing('first')],
    [false, true, false],
  );
  assert.equal(clusters.get('web').pick(anyRequest)?.key, '10.0.0.9:80');
  clusters.putSecret('ROOTCA', {
    validation_context: { trusted_ca: { inline_string: makeSampleRoot().pem } },
  });
  assert.deepEqual([clusters.set.isWarm('web'), clusters.set.isWarm('first')], [true, true]);
  assert.equal(clusters.get('web').pick(anyRequest)?.key, '10.0.0.1:80');
});

test('a cluster whose secrets do not come is used as it is in the end', () => {
  const secret = { name: 'missing', sds_config: { ads: {} } };
  const context = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    common_tls_context: { validation_context_sds_secret_config: secret },
  };
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', ['10.0.0.1:80'], { transport_socket: { name: 'tls', typed_config: context } }));
  clusters.clock.advance(14_900);
  assert.equal(clusters.set.isWarm('web'), false);
  clusters.clock.advance(200);
  assert.equal(clusters.set.isWarm('web'), true);
});

test('issues say which resource of the mesh they come from', () => {
  const origin = { kind: 'ServiceEntry', namespace: 'default', name: 'api' };
  const { issues } = new SampleClusters().prepare(
    staticCluster('web', ['nonsense:80'], { metadata: { filter_metadata: { 'weft.dev': { origin } } } }),
  );
  assert.deepEqual(
    issues.map((issue) => issue.origin),
    [origin],
  );
});

test('a newcomer that is refused takes no statistics away from the cluster whose name it borrows', () => {
  const clusters = new SampleClusters();
  clusters.put(staticCluster('web', ['10.0.0.1:80']));
  const { scope } = clusters.get('web');
  scope.counter('upstream_rq_total').inc();
  const refused = clusters.prepare({ name: 'other', type: 'EDS', alt_stat_name: 'web', lb_policy: 'CLUSTER_PROVIDED' });
  assert.notDeepEqual(refused.issues, []);
  assert.equal(clusters.metrics.scope(scope.name), scope);
});
