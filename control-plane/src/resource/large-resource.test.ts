// Large resources cost time in proportion to their size, and tell no more than a person reads.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from './parse-resource.ts';
import { shortForm } from './test-findings.ts';

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const parse = (kind: string, spec: object, apiVersion = 'networking.istio.io/v1') =>
  parseResource({ apiVersion, kind, metadata: { name: 'a' }, spec }, { positions: null, defaultNamespace: 'default' });
const route = [{ destination: { host: 'a' } }];
const port = { number: 80, name: 'http', protocol: 'HTTP' };

/** Name, and a resource that took many seconds when each part was compared with every other. */
const cases: readonly (readonly [string, () => unknown])[] = [
  ['hosts', () => parse('VirtualService', { hosts: many(60_000, (i) => `a${i}`), http: [{ route }] })],
  [
    'rules',
    () => parse('VirtualService', { hosts: ['a'], http: many(15_000, (i) => ({ match: [{ port: i + 1 }], route })) }),
  ],
  [
    'server names',
    () => {
      const sniHosts = many(30_000, (i) => `a${i}.b`);
      return parse('VirtualService', { hosts: sniHosts, tls: [{ match: [{ sniHosts }], route }] });
    },
  ],
  [
    'servers',
    () => parse('Gateway', { selector: { a: 'b' }, servers: many(15_000, (i) => ({ port, hosts: [`a${i}`] })) }),
  ],
  ['ports', () => parse('Service', { ports: many(40_000, (i) => ({ name: `a${i}`, port: i + 1 })) }, 'v1')],
  [
    'values',
    () => {
      const when = [
        { key: 'source.namespace', values: many(60_000, (i) => `a${i}`), notValues: many(60_000, (i) => `a${i}`) },
      ];
      return parse('AuthorizationPolicy', { rules: [{ when }] }, 'security.istio.io/v1');
    },
  ],
  [
    'signs of padding',
    () => {
      const body = { bytes: `${'='.repeat(100_000)}a` };
      return parse('VirtualService', { hosts: ['a'], http: [{ directResponse: { status: 200, body } }] });
    },
  ],
  [
    'beginnings of operators',
    () => {
      const headers = { request: { set: { a: '%A('.repeat(100_000), b: '%A%'.repeat(100_000) } } };
      return parse('VirtualService', { hosts: ['a'], http: [{ headers, route }] });
    },
  ],
  [
    'unknown fields',
    () => parse('DestinationRule', { host: 'a', ...Object.fromEntries(many(60_000, (i) => [`hots${i}`, 'a'])) }),
  ],
];

for (const [name, run] of cases) {
  test(`so many ${name} do not hold the control plane up`, () => {
    const before = process.cpuUsage();
    run();
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_500_000, `took ${user / 1000} ms`);
  });
}

test('findings end where nobody reads on, and an error among the rest still refuses the resource', () => {
  const retries = { attempts: 2, retryOn: `${'none,'.repeat(300_000)}5xx` };
  const { resource, issues } = parse('VirtualService', { hosts: ['a'], http: [{ route, retries }] });
  assert.equal(resource, null);
  assert.equal(issues.length, 201);
  assert.deepEqual(shortForm(issues.slice(-2)), ['WEFT0443 spec.http[0].retries.retryOn', 'WEFT0423']);

  const warnings = many(300, (i) => ({ match: [{ statPrefix: 'a', port: i + 1 }], route }));
  const last = { match: [{ uri: { regex: '(' } }], route };
  const only = parse('VirtualService', { hosts: ['a'], http: warnings });
  assert.equal(only.issues.at(-1)?.level, 'warning');
  assert.notEqual(only.resource, null);
  const refused = parse('VirtualService', { hosts: ['a'], http: [...warnings, last] });
  assert.equal(refused.issues.at(-1)?.level, 'error');
  assert.equal(refused.resource, null);
});

test('regular expressions have a bound in all, which a thousand usual ones keep', () => {
  const rules = (regex: (index: number) => string) =>
    many(1000, (i) => ({ match: [{ uri: { regex: regex(i) } }], route }));
  const usual = parse('VirtualService', { hosts: ['a'], http: rules((i) => `/api/v[0-9]+/things/${i}/[^/]+(/.*)?`) });
  assert.notEqual(usual.resource, null);
  const before = process.cpuUsage();
  const costly = parse('VirtualService', { hosts: ['a'], http: rules((i) => `/${i}${'x{0,1000}'.repeat(10)}`) });
  assert.ok(process.cpuUsage(before).user < 5_000_000);
  assert.equal(costly.resource, null);
  assert.equal(costly.issues[0]?.code, 'WEFT0433');
});
