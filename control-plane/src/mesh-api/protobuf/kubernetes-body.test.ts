import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage, type MessageName } from '@weft/lib/protobuf/codec';
import { parseKubernetesBody } from './kubernetes-body.ts';

const behindMagic = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from('k8s\0', 'latin1'), bytes]);

function bodyOf<N extends MessageName>(
  kind: string,
  name: N,
  message: Parameters<typeof encodeMessage<N>>[1],
  apiVersion = 'v1',
): Buffer {
  const raw = encodeMessage(name, message);
  return behindMagic(encodeMessage('weft.kubernetes.Unknown', { typeMeta: { apiVersion, kind }, raw }));
}

test('reads a Secret as JSON would have said it, empty values of its own included', () => {
  const body = bodyOf('Secret', 'weft.kubernetes.Secret', {
    metadata: { name: 'cert', namespace: '', uid: '', labels: { a: '' } },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': Buffer.from('C'), empty: new Uint8Array() },
    immutable: false,
  });
  assert.deepEqual(parseKubernetesBody(body), {
    value: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cert', labels: { a: '' } },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': 'Qw==', empty: '' },
    },
  });
});

test('reads a Service with ports by number and by name', () => {
  const body = bodyOf('Service', 'weft.kubernetes.Service', {
    metadata: { name: 'web' },
    spec: {
      clusterIP: '',
      selector: { app: 'web' },
      ports: [
        { name: 'a', port: 80, targetPort: { type: 0, intVal: 8080, strVal: '' } },
        { name: 'b', port: 81, targetPort: { type: 1, intVal: 0, strVal: 'http' } },
      ],
    },
  });
  assert.deepEqual(parseKubernetesBody(body), {
    value: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        selector: { app: 'web' },
        ports: [
          { name: 'a', port: 80, targetPort: 8080 },
          { name: 'b', port: 81, targetPort: 'http' },
        ],
      },
    },
  });
});

const refused: readonly (readonly [what: string, body: Buffer, problem: RegExp])[] = [
  ['bytes that are none', Buffer.from('{}'), /does not begin with "k8s"/],
  ['nothing', Buffer.alloc(0), /does not begin/],
  ['bytes that break off', behindMagic(Buffer.from([0x0a, 0x7f])), /./],
  ['a kind that Weft does not have', bodyOf('Pod', 'weft.kubernetes.Namespace', {}), /v1 Pod is taken as JSON/],
  ['a name of every object', bodyOf('constructor', 'weft.kubernetes.Namespace', {}), /v1 constructor/],
  ['another version', bodyOf('Secret', 'weft.kubernetes.Secret', {}, 'v2'), /v2 Secret/],
];
for (const [what, body, problem] of refused) {
  test(`refuses ${what}`, () => {
    const result = parseKubernetesBody(body);
    assert.match('problem' in result ? result.problem : '', problem);
  });
}
