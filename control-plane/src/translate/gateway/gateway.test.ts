import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GatewayServer, GatewayTls } from '@weft/api/resource/gateway';
import type { AnyResource } from '@weft/api/resource/kind';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { resource } from '../../model/model-kit.ts';
import type { NetworkFilter } from '../filters.ts';
import type { Listener } from '../snapshot.ts';
import { snapshotOf, targetsOf, webHost, webService } from '../translate-kit.ts';

const route = (number: number) => [{ destination: { host: 'web', port: { number } } }];
const gateway = (place: string, servers: GatewayServer[]) =>
  resource('Gateway', place, { selector: { istio: 'ingressgateway' }, servers });
const secured = (hosts: string[], tls: GatewayTls, protocol = 'HTTPS'): GatewayServer => ({
  port: { number: 443, name: 'https', protocol },
  hosts,
  tls,
});
const simple = { mode: 'SIMPLE', credentialName: 'shop' } as const;
const plain = (hosts: string[]): GatewayServer => ({ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts });
const service = (hosts: string[], spec: object = {}, place = 'web') =>
  resource('VirtualService', place, { hosts, gateways: ['default/edge'], http: [{ route: route(80) }], ...spec });
const data = Object.fromEntries(['tls.crt', 'tls.key', 'ca.crt'].map((name) => [name, btoa(name)]));
const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'shop', namespace: 'default' },
  data,
} as AnyResource;
const withoutSecret = (resources: readonly AnyResource[], namespace = 'istio-system') =>
  snapshotOf([webService, ...resources], 'router', namespace);
const edge = (resources: readonly AnyResource[], namespace?: string) =>
  withoutSecret([secret, ...resources], namespace);
const edgeOnOnePort = (resources: readonly AnyResource[]) =>
  snapshotOf([webService, ...resources], 'router', 'istio-system', { gateway: { 80: 18_080, 8080: 18_080 } });
const namesOf = (listener: Listener | undefined) =>
  listener?.filterChains?.map(({ filterChainMatch }) => filterChainMatch?.serverNames);
const clusterOf = (filters: readonly NetworkFilter[] = []) => {
  const config = filters[0]?.typedConfig;
  assert.ok(config !== undefined);
  return unpackAny(config, 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy').cluster;
};

test('clients may write any port behind a host, also one that only what stands in front of the gateway has', () => {
  const table = edge([gateway('edge', [plain(['*.example'])]), service(['*.example'])]).routes.get('http.80');
  assert.deepEqual(
    table?.virtualHosts?.map(({ domains }) => domains),
    [['*.example']],
  );
  assert.equal(table?.ignorePortInHostMatching, true);
});

test('two HTTPS servers whose ports have one name have a route table each', () => {
  const servers = [secured(['a.example'], simple), secured(['b.example'], { ...simple, mode: 'MUTUAL' })];
  const snapshot = edge([gateway('edge', servers), service(['a.example', 'b.example'])]);
  const hosts = [...snapshot.routes.keys()].map((name) => Object.keys(targetsOf(snapshot, name)));
  assert.deepEqual(hosts, [['a.example:443'], ['b.example:443']]);
});

test('a server name that two servers claim is that of the first, and the others stay with the second', () => {
  const servers = (hosts: string[]) => [secured(hosts, simple)];
  const { listeners } = edge([
    gateway('edge', servers(['a.example', 'b.example'])),
    gateway('later', servers(['b.example', 'c.example'])),
    gateway('third', servers(['c.example'])),
  ]);
  assert.deepEqual(namesOf(listeners.get('0.0.0.0_443') ?? [...listeners.values()][0]), [
    ['a.example', 'b.example'],
    ['c.example'],
  ]);
});

test('who is visible to the namespace of the gateway proxy is served, as Istio has it', () => {
  const served = (exportTo: string[]) => {
    const bound = service(['a.example'], { exportTo, gateways: ['default/edge'] }, 'shop/web');
    return targetsOf(edge([gateway('edge', [plain(['*'])]), bound]), 'http.80')['a.example:80'] !== undefined;
  };
  assert.deepEqual([['istio-system'], ['default'], ['elsewhere'], ['.']].map(served), [true, true, false, false]);
});

describe('a redirect to https', () => {
  const redirecting = (number: number): GatewayServer => ({
    port: { number, name: 'http', protocol: 'HTTP' },
    hosts: ['a.example'],
    tls: { httpsRedirect: true },
  });
  const open = (number: number): GatewayServer => ({ ...redirecting(number), tls: undefined });
  /** The one virtual host of a local mesh's gateway, which serves 80 and 8080 on one port. */
  const hostOf = (servers: readonly GatewayServer[]) => {
    const gateways = servers.map((server, at) => gateway(`edge${at}`, [server]));
    const bound = (at: number, number: number) =>
      service(['a.example'], { gateways: [`default/edge${at}`], http: [{ route: route(number) }] }, `web${at}`);
    const snapshot = edgeOnOnePort([...gateways, bound(0, 80), bound(1, 8080)]);
    const [host, ...others] = snapshot.routes.get('http.18080')?.virtualHosts ?? [];
    assert.deepEqual(others, []);
    return { requireTls: host?.requireTls, clusters: host?.routes?.map(({ route }) => route?.cluster) };
  };
  const [first, second] = [`outbound|80||${webHost}`, `outbound|8080||${webHost}`];

  test('of one port leaves what another offers of the host in the clear, and only that', () => {
    assert.deepEqual(hostOf([redirecting(80), open(8080)]), { requireTls: undefined, clusters: [second] });
    assert.deepEqual(hostOf([open(80), redirecting(8080)]), { requireTls: undefined, clusters: [first] });
  });

  test('holds for all that is offered of the host on its port', () => {
    assert.equal(hostOf([redirecting(80), open(80)]).requireTls, 'ALL');
    assert.equal(hostOf([redirecting(80), redirecting(8080)]).requireTls, 'ALL');
    assert.equal(hostOf([open(80), open(8080)]).requireTls, undefined);
  });
});

describe('TLS', () => {
  test('of a server is there as long as its Secret is', () => {
    const other = { ...simple, credentialName: 'other' };
    const servers = [secured(['b.example'], other), secured(['*.example'], simple)];
    const snapshot = edge([gateway('edge', servers)]);
    const [listener] = snapshot.listeners.values();
    assert.deepEqual(namesOf(listener), [['b.example'], ['*.example']]);
    const [closed, served] = listener?.filterChains ?? [];
    assert.equal(clusterOf(closed?.filters), 'BlackHoleCluster', 'not what the server of all names does');
    assert.ok(snapshot.clusters.has('BlackHoleCluster'));
    assert.deepEqual(
      [closed, served].map((chain) => chain?.transportSocket !== undefined),
      [false, true],
    );
    assert.equal(withoutSecret([gateway('edge', servers)]).listeners.size, 0);
    const { 'ca.crt': _, ...pair } = data;
    const rootless = { ...secret, data: pair } as AnyResource;
    const mutual = gateway('edge', [secured(['a.example'], { ...simple, mode: 'MUTUAL' })]);
    assert.equal(withoutSecret([rootless, mutual]).listeners.size, 0);
  });

  for (const name of ['ca', 'ca-cacert']) {
    test(`takes the roots of clients from a Secret of their own called ${name}`, () => {
      const { 'ca.crt': roots, ...pair } = data;
      const secrets = [
        { ...secret, data: pair },
        { ...secret, metadata: { name, namespace: 'default' }, data: { 'ca.crt': roots } },
      ] as AnyResource[];
      const tls = { ...simple, mode: 'MUTUAL', caCertCredentialName: name } as const;
      const snapshot = withoutSecret([...secrets, gateway('edge', [secured(['a.example'], tls)])]);
      assert.deepEqual(
        [...snapshot.secrets.values()].map(({ validationContext }) => validationContext !== undefined).sort(),
        [false, true],
      );
    });
  }

  for (const protocol of ['TLS', 'HTTPS']) {
    test(`of a server (${protocol}) without a mode passes through`, () => {
      const tls = [{ match: [{ sniHosts: ['A.example'] }], route: route(9000) }];
      const passed = service(['A.example'], { http: [], tls });
      const { listeners } = edge([gateway('edge', [secured(['A.example'], {}, protocol)]), passed]);
      const [chain] = [...listeners.values()][0]?.filterChains ?? [];
      assert.deepEqual(chain?.filterChainMatch?.serverNames, ['a.example']);
      assert.equal(chain?.transportSocket, undefined);
      assert.equal(clusterOf(chain?.filters), `outbound|9000||${webHost}`);
    });
  }

  for (const mode of ['MUTUAL', 'OPTIONAL_MUTUAL', 'SIMPLE'] as const) {
    test(`of mode ${mode} ${mode === 'SIMPLE' ? 'says nothing' : 'tells the application'} of the client's certificate`, () => {
      const { listeners } = edge([gateway('edge', [secured(['*'], { ...simple, mode })]), service(['*'])]);
      const config = [...listeners.values()][0]?.filterChains?.[0]?.filters?.[0]?.typedConfig;
      assert.ok(config !== undefined);
      const type = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
      const { forwardClientCertDetails } = unpackAny(config, type);
      assert.equal(forwardClientCertDetails, mode === 'SIMPLE' ? undefined : 'SANITIZE_SET');
    });
  }
});
