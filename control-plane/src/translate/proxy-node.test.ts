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

test("offers HTTP/2 to callers of a proxy that takes it: Weft's own says so", () => {
  const http2 = (more: envoy.config.core.v3.Node) =>
    parseProxyNode({ id: 'sidecar~10.0.0.1~a.b~c', ...more }, [])?.speaksHttp2;
  assert.equal(http2({ userAgentName: 'envoy' }), true);
  assert.equal(http2({ userAgentName: 'weft' }), false);
  assert.equal(http2({ userAgentName: 'weft', clientFeatures: ['weft.http2'] }), true);
});
