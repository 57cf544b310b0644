import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@weft/api/resource/kind';
import { meshOf, resource } from '../model/model-kit.ts';
import { parseProxyNode } from './proxy-node.ts';
import { translateConfig } from './translate.ts';

const data = {
  'tls.crt': Buffer.from('CERTIFICATE').toString('base64'),
  'tls.key': Buffer.from('KEY').toString('base64'),
};
const secret = (namespace: string) =>
  ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'shop', namespace }, data }) as AnyResource;
const gateway = (credentialName: string) =>
  resource('Gateway', 'gateway', {
    selector: { istio: 'ingressgateway' },
    servers: [
      {
        port: { number: 443, name: 'https', protocol: 'HTTPS' },
        hosts: ['*'],
        tls: { mode: 'SIMPLE', credentialName },
      },
    ],
  });

/** The secrets that a proxy of a namespace is given. */
function givenTo(namespace: string, resources: readonly AnyResource[], type = 'router'): string[] {
  const id = `${type}~127.0.0.1~edge.${namespace}~${namespace}.svc.cluster.local`;
  const metadata = { NAMESPACE: namespace, LABELS: { istio: 'ingressgateway' }, WEFT_LOCAL: { capture: { port: 1 } } };
  const node = parseProxyNode({ id, metadata }, []);
  assert.ok(node !== null);
  return [...translateConfig(meshOf(resources), node).secrets.keys()];
}

test('a gateway is given keys of its own namespace, and of a Gateway elsewhere only where the mesh is run from', () => {
  assert.deepEqual(givenTo('default', [gateway('shop'), secret('default')]), ['kubernetes://shop']);
  assert.deepEqual(givenTo('istio-system', [gateway('shop'), secret('default')]), ['kubernetes://default/shop']);
  assert.deepEqual(givenTo('other', [gateway('shop'), secret('default')]), []);
  assert.deepEqual(givenTo('other', [gateway('shop'), secret('default'), secret('other')]), ['kubernetes://shop']);
});

test('a slash in a credential is no way into another namespace', () => {
  const host = 'web.example';
  const entry = resource('ServiceEntry', 'web', {
    hosts: [host],
    ports: [{ number: 443, name: 'https', protocol: 'HTTPS' }],
    resolution: 'DNS',
  });
  const rule = (credentialName: string) =>
    resource('DestinationRule', 'web', { host, trafficPolicy: { tls: { mode: 'MUTUAL', credentialName } } });
  assert.deepEqual(givenTo('default', [entry, rule('shop'), secret('default')], 'sidecar'), ['kubernetes://shop']);
  assert.deepEqual(givenTo('default', [entry, rule('bank/shop'), secret('bank')], 'sidecar'), []);
  assert.deepEqual(givenTo('istio-system', [gateway('bank/shop'), secret('bank')]), []);
});
