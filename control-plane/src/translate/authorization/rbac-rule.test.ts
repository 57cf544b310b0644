import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthorizationRule } from '@weft/api/resource/authorization-policy';
import { defaultSettings } from '../../model/settings.ts';
import { type RuleContext, rulePolicy } from './rbac-rule.ts';

const http: RuleContext = {
  settings: defaultSettings,
  action: 'ALLOW',
  namespace: 'default',
  isTcp: false,
  ports: [80, 8080],
};
const tcp: RuleContext = { ...http, isTcp: true };
const anyone = { permissions: [{ any: true }], principals: [{ any: true }] };

const paths: AuthorizationRule = { to: [{ operation: { paths: ['/a'] } }] };

test('an empty rule fits everything', () => {
  assert.deepEqual(rulePolicy({}, http), anyone);
  assert.deepEqual(rulePolicy({ from: [{}], to: [{ operation: {} }] }, http), anyone);
});

test('on TCP an ALLOW rule that asks for HTTP never fits, a DENY rule fits without asking', () => {
  assert.equal(rulePolicy(paths, tcp), null);
  assert.deepEqual(rulePolicy(paths, { ...tcp, action: 'DENY' }), anyone);
  const mixed: AuthorizationRule = { to: [{ operation: { paths: ['/a'] } }, { operation: { ports: ['80'] } }] };
  assert.deepEqual(rulePolicy(mixed, tcp), anyone, 'the other entry is still there');
  const header: AuthorizationRule = { when: [{ key: 'request.headers[x]', values: ['a'] }] };
  assert.equal(rulePolicy(header, tcp), null);
  assert.deepEqual(rulePolicy(header, { ...tcp, action: 'DENY' }), anyone);
});

test('a port that is known beforehand is compared beforehand', () => {
  const at = (operation: object) => rulePolicy({ to: [{ operation }] }, http);
  assert.deepEqual(at({ ports: ['80'] }), anyone);
  assert.deepEqual(at({ ports: ['8080', '1'] }), anyone);
  assert.equal(at({ ports: ['81'] }), null);
  assert.equal(at({ notPorts: ['80'] }), null);
  assert.deepEqual(at({ notPorts: ['81'] }), anyone);
  assert.equal(rulePolicy({ when: [{ key: 'destination.port', values: ['81'] }] }, http), null);
  assert.deepEqual(rulePolicy({ to: [{ operation: { ports: ['80'] } }] }, { ...http, ports: null })?.permissions, [
    { destinationPort: 80 },
  ]);
});

test('tokens, which nobody verifies here, allow nobody and deny everybody', () => {
  const rule: AuthorizationRule = { from: [{ source: { requestPrincipals: ['*'] } }] };
  assert.equal(rulePolicy(rule, http), null);
  assert.deepEqual(rulePolicy(rule, { ...http, action: 'DENY' }), anyone);
  const claim: AuthorizationRule = { when: [{ key: 'request.auth.claims[x]', values: ['a'] }] };
  assert.equal(rulePolicy(claim, http), null);
});

test('a block that is no address allows nobody', () => {
  assert.equal(rulePolicy({ from: [{ source: { ipBlocks: ['nonsense', '10.0.0.0/99'] } }] }, http), null);
  assert.deepEqual(rulePolicy({ from: [{ source: { ipBlocks: ['::1', 'nonsense'] } }] }, http)?.principals, [
    { directRemoteIp: { addressPrefix: '::1', prefixLen: 128 } },
  ]);
});

test('identities are compared whole, by their beginning, by their end, or for being there', () => {
  const names = (source: object) => {
    const [principal] = rulePolicy({ from: [{ source }] }, http)?.principals ?? [];
    return principal?.authenticated?.principalName;
  };
  assert.deepEqual(names({ principals: ['td/ns/a/sa/b'] }), { exact: 'spiffe://td/ns/a/sa/b' });
  assert.deepEqual(names({ principals: ['td/ns/a/*'] }), { prefix: 'spiffe://td/ns/a/' });
  assert.deepEqual(names({ principals: ['*/sa/b'] }), { suffix: '/sa/b' });
  assert.deepEqual(names({ principals: ['*'] }), { prefix: 'spiffe://' });
  assert.deepEqual(names({ namespaces: ['a'] }), { contains: '/ns/a/' });
  assert.deepEqual(names({ serviceAccounts: ['b'] }), { suffix: '/ns/default/sa/b' });
  assert.deepEqual(names({ serviceAccounts: ['a/b'] }), { suffix: '/ns/a/sa/b' });
  assert.deepEqual(names({ trustDomains: ['td'] }), { prefix: 'spiffe://td/' });
});

test('cluster.local is the trust domain of the mesh in principals, whatever that is called', () => {
  const context: RuleContext = { ...http, action: 'DENY', settings: { ...defaultSettings, trustDomain: 'td.example' } };
  const names = (rule: AuthorizationRule) => {
    const [principal] = rulePolicy(rule, context)?.principals ?? [];
    return (principal?.notId ?? principal)?.authenticated?.principalName;
  };
  const exact = { exact: 'spiffe://td.example/ns/a/sa/b' };
  assert.deepEqual(names({ from: [{ source: { principals: ['cluster.local/ns/a/sa/b'] } }] }), exact);
  assert.deepEqual(names({ from: [{ source: { notPrincipals: ['cluster.local/ns/a/sa/b'] } }] }), exact);
  assert.deepEqual(names({ when: [{ key: 'source.principal', values: ['cluster.local/ns/a/sa/b'] }] }), exact);
  assert.deepEqual(names({ from: [{ source: { principals: ['cluster.local/*'] } }] }), {
    prefix: 'spiffe://td.example/',
  });
  assert.deepEqual(names({ from: [{ source: { principals: ['other/ns/a/*'] } }] }), { prefix: 'spiffe://other/ns/a/' });
});
