// The form of resources: every mistake is found, named with its path and line, and nothing hostile breaks the parser.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseResource } from './parse-resource.ts';
import { findingsOf, shortForm } from './test-findings.ts';

const context = { positions: null, defaultNamespace: 'default' };

describe('parseResource', () => {
  it('takes a field without a value for absent, but not one that nobody knows', () => {
    const issues = findingsOf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, creationTimestamp: null, lables: null}
spec:
  hosts: [reviews]
  gateways:
  http:
  - route: [{destination: {host: a, subset: null}}]
    rewritte:
  - route: [{rout: null}]
status: {anything: null}
`);
    assert.deepEqual(
      issues.map((issue) => `${issue.origin?.line} ${issue.code} ${issue.path}`),
      [
        '10 WEFT0409 spec.http[1].route[0].destination',
        '3 WEFT0407 metadata.lables',
        '9 WEFT0407 spec.http[0].rewritte',
        '10 WEFT0407 spec.http[1].route[0].rout',
      ],
    );
  });

  it('refuses a namespace that is none also where a path or an option gives it', () => {
    const value = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 80 }] } };
    const { resource, issues } = parseResource(value, { positions: null, defaultNamespace: 'bad ns' });
    assert.equal(resource, null);
    assert.deepEqual(
      issues.map(({ code, path, message }) => `${code} ${path} ${message}`),
      [
        'WEFT0410 metadata.namespace The namespace "bad ns" is no DNS label; use at most 63 lower-case letters, digits and -.',
      ],
    );
    assert.notEqual(parseResource({ ...value, metadata: { name: 'a', namespace: 'b' } }, context).resource, null);
  });

  it('finds every mistake of form at once, each with its line', () => {
    const issues = findingsOf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  labels: {version: 1}
spec:
  hosts: reviews
  http:
  - route:
    - destination: {host: a, sub_set: v1}
      weigth: 10
    timeout: 3 seconds
    retries: {attempts: -1}
    fault: {abort: {httpStatus: 99}}
  exportTo: ['.', 7]
`);
    assert.deepEqual(
      issues.map((issue) => `${issue.origin?.line} ${issue.code} ${issue.path}`).sort(),
      [
        '10 WEFT0407 spec.http[0].route[0].destination.sub_set',
        '11 WEFT0407 spec.http[0].route[0].weigth',
        '12 WEFT0410 spec.http[0].timeout',
        '13 WEFT0410 spec.http[0].retries.attempts',
        '14 WEFT0410 spec.http[0].fault.abort.httpStatus',
        '15 WEFT0408 spec.exportTo[1]',
        '5 WEFT0408 metadata.labels.version',
        '7 WEFT0408 spec.hosts',
      ].sort(),
    );
    assert.match(issues.find((issue) => issue.path?.endsWith('sub_set'))?.message ?? '', /Did you mean subset\?/);
    assert.match(
      issues.find((issue) => issue.path?.endsWith('labels.version'))?.message ?? '',
      /Put it in quotes: "1"/,
    );
  });

  it('advises a duration that it takes where one was written as a number', () => {
    const timeout = (text: string) =>
      findingsOf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec: {hosts: [a], http: [{route: [{destination: {host: a}}], timeout: ${text}}]}
`).map(({ message }) => message);
    for (const number of ['3', '0.5', '1500']) {
      assert.deepEqual(timeout(number), [
        `This has to be a duration, not the number ${number}. For seconds write ${number}s.`,
      ]);
      assert.deepEqual(timeout(`${number}s`), []);
    }
    for (const other of ['-3', '1e-7', 'true', '[3s]'])
      assert.match(timeout(other).join(), /Write a number and a unit, such as 1.5s/);
  });

  it('keeps one version of a kind, whichever is written', () => {
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
      const value = {
        apiVersion: `networking.istio.io/${version}`,
        kind: 'Gateway',
        metadata: { name: 'g' },
        spec: {
          selector: { a: 'b' },
          servers: [{ port: { number: 80, protocol: 'HTTP', name: 'http' }, hosts: ['*'] }],
        },
      };
      const { resource, issues } = parseResource(value, context);
      assert.deepEqual(issues, []);
      assert.equal(resource?.object.apiVersion, 'networking.istio.io/v1');
      assert.equal(resource?.object.metadata.namespace, 'default');
    }
  });

  it('takes a null field for an absent one', () => {
    const value = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a', labels: null },
      spec: { ports: [{ port: 80, name: null }], selector: null },
    };
    const { resource } = parseResource(value, context);
    assert.deepEqual(resource?.object, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a', namespace: 'default' },
      spec: { ports: [{ port: 80 }] },
    });
  });

  it('keeps the plain text of a Secret as data', () => {
    const { resource } = parseResource(
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData: { a: 'hällo' } },
      context,
    );
    assert.ok(resource?.object.kind === 'Secret');
    assert.deepEqual(resource.object.data, { a: Buffer.from('hällo').toString('base64') });
    assert.equal(resource.object.stringData, undefined);
    assert.equal(resource.object.type, 'Opaque');
  });

  it('says what is no resource, no kind and no version of ours', () => {
    const codes = (value: unknown) => shortForm(parseResource(value, context).issues);
    for (const value of [null, 7, 'text', [], undefined]) assert.deepEqual(codes(value), ['WEFT0404']);
    assert.deepEqual(codes({ kind: 'Service' }), ['WEFT0404']);
    assert.deepEqual(codes({ apiVersion: 'v1', kind: 'Servise', metadata: {} }), ['WEFT0405 kind']);
    assert.deepEqual(codes({ apiVersion: 'v2', kind: 'Service', metadata: {} }), ['WEFT0406 apiVersion']);
    assert.deepEqual(codes({ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 1 }] } }), [
      'WEFT0409 metadata',
      'WEFT0411 metadata.name',
    ]);
    assert.deepEqual(codes({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a', namespace: 'b' } }), [
      'WEFT0413 metadata.namespace',
    ]);
  });

  it('is not broken by hostile values', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`);
    assert.deepEqual(
      shortForm(
        parseResource({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: deep }, context).issues,
      ),
      ['WEFT0403'],
    );
    const polluting = JSON.parse(
      '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","__proto__":{"x":1}},"__proto__":{"y":1},"spec":{"ports":[{"port":1}],"constructor":{}}}',
    );
    const { resource, issues } = parseResource(polluting, context);
    assert.equal(resource, null);
    assert.ok(issues.every((issue) => issue.code === 'WEFT0407'));
    assert.equal(({} as { y?: number }).y, undefined);
  });
});
