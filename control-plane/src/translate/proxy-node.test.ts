import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import { parseProxyNode } from './proxy-node.ts';

function parse(id: string, metadata: NonNullable<envoy.config.core.v3.Node['metadata']> = {}) {
  const issues: Issue[] = [];
  return { node: parseProxyNode({ id, metadata }, issues), issues };
}

test('reads what the id says where metadata says nothing', () => {
  const { node } = parse('sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local');
  assert.deepEqual(
    [node?.type, node?.addresses, node?.workload, node?.namespace, node?.serviceAccount, node?.local],
    ['sidecar', ['10.0.0.1'], 'web-1', 'shop', 'default', null],
  );
});

test('metadata wins over the id', () => {
  const { node } = parse('router~10.0.0.1~x.y~z.svc.cluster.local', {
    NAMESPACE: 'edge',
    SERVICE_ACCOUNT: 'gateway',
    WORKLOAD_NAME: 'ingress',
    LABELS: { istio: 'ingressgateway' },
    INSTANCE_IPS: '10.0.0.1,10.0.0.2',
    INTERCEPTION_MODE: 'REDIRECT',
    UNKNOWN: true,
  });
  assert.deepEqual(
    [node?.type, node?.addresses.length, node?.workload, node?.namespace, node?.serviceAccount, node?.interception],
    ['router', 2, 'ingress', 'edge', 'gateway', 'redirect'],
  );
});

test('knows how connections are captured, and at which ports', () => {
  const at = (metadata: NonNullable<envoy.config.core.v3.Node['metadata']>) => {
    const { node } = parse('sidecar~10.0.0.1~a.b~c', metadata);
    return [node?.interception, node?.capturePorts.outboundPort, node?.capturePorts.inboundPort];
  };
  assert.deepEqual(at({}), ['unknown', 15_001, 15_006]);
  assert.deepEqual(at({ INTERCEPTION_MODE: 'NONE' }), ['none', 15_001, 15_006]);
  assert.deepEqual(at({ INTERCEPTION_MODE: 'TPROXY', WEFT_CAPTURE: { inboundPort: 1 } }), ['tproxy', 15_001, 1]);
  const { issues } = parse('sidecar~10.0.0.1~a.b~c', { WEFT_CAPTURE: { outboundPort: 0 } });
  assert.deepEqual(
    issues.map(({ path }) => path),
    ['node.metadata.WEFT_CAPTURE.outboundPort'],
  );
});

test('says what is wrong with an id or with metadata', () => {
  for (const id of ['', 'envoy', 'sidecar', 'sidecar~10.0.0.1', 'ztunnel~10.0.0.1~a.b~c']) {
    const { node, issues } = parse(id);
    assert.equal(node, null);
    assert.deepEqual(
      issues.map(({ code }) => code),
      ['WEFT0601'],
    );
  }
  const { node, issues } = parse('sidecar~10.0.0.1~a.b~c', {
    LABELS: 'x',
    WEFT_LOCAL: { capture: { port: 70000, credentialSha256: 'abc' } },
  });
  assert.equal(node, null);
  assert.deepEqual(
    issues.map(({ path }) => path),
    [
      'node.metadata.LABELS',
      'node.metadata.WEFT_LOCAL.capture.port',
      'node.metadata.WEFT_LOCAL.capture.credentialSha256',
    ],
  );
});

test('takes only so much of one proxy as a workload may well have', () => {
  const paths = (metadata: NonNullable<envoy.config.core.v3.Node['metadata']>) =>
    parse('sidecar~10.0.0.1~a.b~c', metadata).issues.map(({ path }) => path);
  const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'x']));
  const inbound = (count: number) => {
    const ports = Array.from({ length: count }, () => ({ name: 'p', servicePort: 80, listenPort: 0, targetPort: 80 }));
    return { WEFT_LOCAL: { inbound: ports } };
  };
  const tcp = (count: number) => {
    const services = Array.from({ length: count }, () => ({ host: 'db', port: 5432, listenPort: 0 }));
    return { WEFT_LOCAL: { tcp: services } };
  };
  const gateway = (count: number) => {
    const ports = Object.fromEntries(Array.from({ length: count }, (_, index) => [String(index + 1), 0]));
    return { WEFT_LOCAL: { gateway: ports } };
  };
  const addresses = (count: number) => ({ INSTANCE_IPS: Array(count).fill('10.0.0.1').join(',') });
  assert.deepEqual(paths({ LABELS: { ['k'.repeat(317)]: 'v'.repeat(63), ...labels(63) }, ...addresses(16) }), []);
  assert.deepEqual([...paths(inbound(256)), ...paths(tcp(512)), ...paths(gateway(256))], []);
  assert.deepEqual(paths({ LABELS: labels(65) }), ['node.metadata.LABELS']);
  assert.deepEqual(paths({ LABELS: { k: 'v'.repeat(64) } }), ['node.metadata.LABELS.k']);
  assert.equal(paths({ LABELS: { ['k'.repeat(318)]: 'v' } }).length, 1);
  assert.deepEqual(paths(addresses(17)), ['node.metadata.INSTANCE_IPS']);
  assert.deepEqual(paths(inbound(257)), ['node.metadata.WEFT_LOCAL.inbound']);
  assert.deepEqual(paths(tcp(513)), ['node.metadata.WEFT_LOCAL.tcp']);
  assert.deepEqual(paths(gateway(257)), ['node.metadata.WEFT_LOCAL.gateway']);
  assert.equal(paths({ WEFT_LOCAL: { inbound: Array(200).fill('x') } }).length, 10, 'a refusal stays readable');
});

test("offers HTTP/2 to callers of a proxy that takes it: Weft's own says so", () => {
  const http2 = (more: envoy.config.core.v3.Node) =>
    parseProxyNode({ id: 'sidecar~10.0.0.1~a.b~c', ...more }, [])?.speaksHttp2;
  assert.equal(http2({ userAgentName: 'envoy' }), true);
  assert.equal(http2({ userAgentName: 'weft' }), false);
  assert.equal(http2({ userAgentName: 'weft', clientFeatures: ['weft.http2'] }), true);
});
