import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { fakeConnection } from '../../../test/kit/logged-view.ts';
import type { ConnectionInfo, PeerCertificate } from '../io/connection-info.ts';
import type { RbacRequest } from './rbac/rule.ts';
import { compileRbac, RbacCounters, RbacEnforcer } from './rbac.ts';

type RbacConfig = envoy.config.rbac.v3.RBAC;
type Permission = envoy.config.rbac.v3.Permission;
type Principal = envoy.config.rbac.v3.Principal;
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;

const page = 'spiffe://cluster.local/ns/default/sa/bookinfo-productpage';

function peer(parts: Partial<PeerCertificate> = { uriSans: [page] }): PeerCertificate {
  return { uriSans: [], dnsSans: [], subject: '', issuer: '', serial: '1', hash: '', pem: '', ...parts };
}

function connection(parts: Partial<ConnectionInfo> = {}): ConnectionInfo {
  return fakeConnection({
    remoteAddress: '10.1.2.3',
    localAddress: '10.9.9.9',
    localPort: 9080,
    transportProtocol: 'tls',
    serverName: 'reviews.default',
    peer: peer(),
    ...parts,
  });
}

function request(parts: Partial<RbacRequest> = {}, ...headers: string[]): RbacRequest {
  return {
    method: 'GET',
    path: '/reviews/1?x=/admin',
    authority: 'reviews:9080',
    scheme: 'http',
    requestHeaders: Headers.of(...headers),
    ...parts,
  };
}

function compile(config: RbacConfig) {
  const issues: Issue[] = [];
  const rbac = compileRbac(config, true, { issues, path: 'rules' });
  assert.deepEqual(issues, []);
  assert.ok(rbac);
  return rbac;
}

const any = { any: true };

function allows(
  permission: Permission,
  principal: Principal,
  at = connection(),
  of: RbacRequest | null = request(),
): boolean {
  const rbac = compile({ policies: { p: { permissions: [permission], principals: [principal] } } });
  return rbac.evaluate(at, of).allowed;
}

const permissions: [name: string, config: Permission, expected: boolean][] = [
  ['any', any, true],
  ['the method by its pseudo header', { header: { name: ':method', stringMatch: { exact: 'GET' } } }, true],
  ['another method', { header: { name: ':method', stringMatch: { exact: 'POST' } } }, false],
  ['the authority by the name host', { header: { name: 'Host', stringMatch: { prefix: 'reviews' } } }, true],
  ['a path without its query', { urlPath: { path: { exact: '/reviews/1' } } }, true],
  ['nothing from the query', { urlPath: { path: { suffix: '/admin' } } }, false],
  ['the destination port', { destinationPort: 9080 }, true],
  ['another port', { destinationPort: 9081 }, false],
  ['a port range, its end excluded', { destinationPortRange: { start: 9000, end: 9080 } }, false],
  ['a port range', { destinationPortRange: { start: 9080, end: 9081 } }, true],
  ['the destination address', { destinationIp: { addressPrefix: '10.9.0.0', prefixLen: 16 } }, true],
  ['the server name', { requestedServerName: { suffix: '.default' } }, true],
  ['and', { andRules: { rules: [any, { destinationPort: 1 }] } }, false],
  ['or', { orRules: { rules: [{ destinationPort: 1 }, any] } }, true],
  ['not', { notRule: { destinationPort: 1 } }, true],
  ['not and not', { notRule: { andRules: { rules: [any, { notRule: any }] } } }, true],
];
for (const [name, config, expected] of permissions) {
  test(`a permission ${expected ? 'matches' : 'does not match'}: ${name}`, () => {
    assert.equal(allows(config, any), expected);
  });
}

const principals: [name: string, config: Principal, at: Partial<ConnectionInfo>, expected: boolean][] = [
  ['any', any, { peer: null }, true],
  ['any verified peer', { authenticated: {} }, {}, true],
  ['no peer', { authenticated: {} }, { peer: null }, false],
  ['the exact identity', { authenticated: { principalName: { exact: page } } }, {}, true],
  [
    'an identity by prefix',
    { authenticated: { principalName: { prefix: 'spiffe://cluster.local/ns/default/' } } },
    {},
    true,
  ],
  [
    'an identity by expression',
    { authenticated: { principalName: { safeRegex: { regex: '.*/sa/bookinfo-.*' } } } },
    {},
    true,
  ],
  [
    'part of an identity by expression',
    { authenticated: { principalName: { safeRegex: { regex: 'default' } } } },
    {},
    false,
  ],
  ['an identity without peer', { authenticated: { principalName: { prefix: '' } } }, { peer: null }, false],
  [
    'the DNS name where there is no URI',
    { authenticated: { principalName: { exact: 'a.b' } } },
    { peer: peer({ dnsSans: ['a.b'] }) },
    true,
  ],
  [
    'the DNS name beside a URI',
    { authenticated: { principalName: { exact: 'a.b' } } },
    { peer: peer({ uriSans: ['x:y'], dnsSans: ['a.b'] }) },
    true,
  ],
  [
    'the subject beside both',
    { authenticated: { principalName: { exact: 'CN=x' } } },
    { peer: peer({ uriSans: ['x:y'], dnsSans: ['a.b'], subject: 'CN=x' }) },
    true,
  ],
  [
    'none of the names',
    { authenticated: { principalName: { exact: 'CN=y' } } },
    { peer: peer({ uriSans: ['x:y'], dnsSans: ['a.b'], subject: 'CN=x' }) },
    false,
  ],
  [
    'not who is excluded by one of several names',
    { notId: { authenticated: { principalName: { exact: 'a.b' } } } },
    { peer: peer({ uriSans: ['x:y'], dnsSans: ['a.b'] }) },
    false,
  ],
  ['the direct address', { directRemoteIp: { addressPrefix: '10.1.2.0', prefixLen: 24 } }, {}, true],
  ['another network', { directRemoteIp: { addressPrefix: '10.1.3.0', prefixLen: 24 } }, {}, false],
  ['the deprecated source_ip', { sourceIp: { addressPrefix: '10.1.2.3', prefixLen: 32 } }, {}, true],
  [
    'source_ip for whom a load balancer carries',
    { sourceIp: { addressPrefix: '10.1.2.3', prefixLen: 32 } },
    { directRemoteAddress: '10.8.8.8' },
    true,
  ],
  [
    'the direct address of a load balancer',
    { directRemoteIp: { addressPrefix: '10.1.2.3', prefixLen: 32 } },
    { directRemoteAddress: '10.8.8.8' },
    false,
  ],
  [
    'an IPv6 network',
    { directRemoteIp: { addressPrefix: 'fd00::', prefixLen: 7 } },
    { remoteAddress: 'fdff::1' },
    true,
  ],
  [
    'IPv4 inside IPv6',
    { directRemoteIp: { addressPrefix: '10.0.0.0', prefixLen: 8 } },
    { remoteAddress: '::ffff:10.1.1.1' },
    true,
  ],
  [
    'no IPv4 range for IPv6',
    { directRemoteIp: { addressPrefix: '0.0.0.0', prefixLen: 0 } },
    { remoteAddress: '::1' },
    false,
  ],
  ['odd bits', { directRemoteIp: { addressPrefix: '10.1.2.2', prefixLen: 31 } }, {}, true],
  ['not', { notId: { authenticated: { principalName: { exact: page } } } }, {}, false],
  ['and', { andIds: { ids: [any, { authenticated: {} }] } }, {}, true],
  ['or', { orIds: { ids: [{ notId: any }, { authenticated: {} }] } }, { peer: null }, false],
];
for (const [name, config, at, expected] of principals) {
  test(`a principal ${expected ? 'matches' : 'does not match'}: ${name}`, () => {
    assert.equal(allows(any, config, connection(at)), expected);
  });
}

test('remote_ip believes the client address where the proxy does, direct_remote_ip never', () => {
  const range = { addressPrefix: '192.0.2.1', prefixLen: 32 };
  const forwarded = request({ clientAddress: '192.0.2.1' });
  assert.equal(allows(any, { remoteIp: range }, connection(), forwarded), true);
  assert.equal(allows(any, { directRemoteIp: range }, connection(), forwarded), false);
  const direct = { remoteIp: { addressPrefix: '10.1.2.3', prefixLen: 32 } };
  assert.equal(allows(any, direct), true);
  assert.equal(allows(any, direct, connection(), request({ clientAddress: 'unknown' })), true);
});

test('the destination is the one before redirection', () => {
  const redirected = connection({ originalDestination: '192.0.2.7:80' });
  assert.equal(allows({ destinationPort: 80 }, any, redirected), true);
  assert.equal(allows({ destinationIp: { addressPrefix: '192.0.2.7', prefixLen: 32 } }, any, redirected), true);
  const six = connection({ originalDestination: '[2001:db8::7]:443' });
  assert.equal(allows({ destinationPort: 443 }, any, six), true);
  assert.equal(allows({ destinationIp: { addressPrefix: '2001:db8::', prefixLen: 32 } }, any, six), true);
});

/** What a policy with that header condition answers for a request that carries the values. */
function answer(action: 'ALLOW' | 'DENY', header: HeaderMatcher, values: string[], negate = false): boolean {
  const rule = negate ? { notRule: { header } } : { header };
  const rbac = compile({ action, policies: { p: { permissions: [rule], principals: [any] } } });
  return rbac.evaluate(connection(), request({}, ...values.flatMap((value) => ['x-role', value]))).allowed;
}

const isAdmin = { name: 'x-role', stringMatch: { exact: 'admin' } };
const notAdmin = { ...isAdmin, invertMatch: true };
const headerCases: [
  name: string,
  action: 'ALLOW' | 'DENY',
  header: HeaderMatcher,
  values: string[],
  negate: boolean,
  allowed: boolean,
][] = [
  ['ALLOW by a value', 'ALLOW', isAdmin, ['admin'], false, true],
  ['ALLOW wants every value to match', 'ALLOW', isAdmin, ['admin', 'guest'], false, false],
  ['DENY needs only one value', 'DENY', isAdmin, ['guest', 'admin'], false, false],
  ['DENY without that value', 'DENY', isAdmin, ['guest'], false, true],
  ['ALLOW unless one value is', 'ALLOW', isAdmin, ['guest', 'admin'], true, false],
  ['ALLOW where no value is', 'ALLOW', isAdmin, ['guest', 'user'], true, true],
  ['DENY unless all values are', 'DENY', isAdmin, ['guest', 'admin'], true, false],
  ['DENY unless, and all are', 'DENY', isAdmin, ['admin', 'admin'], true, true],
  ['ALLOW inverted, one value is', 'ALLOW', notAdmin, ['guest', 'admin'], false, false],
  ['ALLOW inverted, none is', 'ALLOW', notAdmin, ['guest'], false, true],
  ['DENY inverted, one is not', 'DENY', notAdmin, ['guest', 'admin'], false, false],
  ['a missing header matches nothing', 'ALLOW', isAdmin, [], false, false],
  ['a missing header matches nothing, inverted', 'ALLOW', notAdmin, [], false, false],
  ['a missing header as empty, inverted', 'ALLOW', { ...notAdmin, treatMissingHeaderAsEmpty: true }, [], false, true],
  ['present', 'ALLOW', { name: 'X-Role', presentMatch: true }, [''], false, true],
  ['absent', 'ALLOW', { name: 'x-role', presentMatch: false }, [], false, true],
  ['present, inverted', 'ALLOW', { name: 'x-role', presentMatch: true, invertMatch: true }, [], false, true],
  ['a range', 'ALLOW', { name: 'x-role', rangeMatch: { start: 1, end: 10 } }, ['9'], false, true],
  ['outside a range', 'ALLOW', { name: 'x-role', rangeMatch: { start: 1, end: 10 } }, ['10'], false, false],
  ['no number', 'ALLOW', { name: 'x-role', rangeMatch: { start: 0, end: 10 } }, ['5x'], false, false],
  ['the old exact form', 'ALLOW', { name: 'x-role', exactMatch: 'a' }, ['a'], false, true],
  ['the old prefix form', 'ALLOW', { name: 'x-role', prefixMatch: 'a' }, ['ab'], false, true],
  ['the old suffix form', 'ALLOW', { name: 'x-role', suffixMatch: 'b' }, ['ab'], false, true],
  ['the old contains form', 'ALLOW', { name: 'x-role', containsMatch: 'b' }, ['abc'], false, true],
  ['the old expression form', 'ALLOW', { name: 'x-role', safeRegexMatch: { regex: 'a.c' } }, ['abc'], false, true],
  [
    'ignoring case',
    'ALLOW',
    { name: 'x-role', stringMatch: { exact: 'Admin', ignoreCase: true } },
    ['aDMIN'],
    false,
    true,
  ],
];
for (const [name, action, header, values, negate, allowed] of headerCases) {
  test(`headers: ${name}`, () => assert.equal(answer(action, header, values, negate), allowed));
}

const nobody = { permissions: [any], principals: [{ notId: any }] };
const everybody = { permissions: [any], principals: [any] };

test('ALLOW without a matching policy denies and says so', () => {
  const verdict = compile({ policies: { a: nobody } }).evaluate(connection(), request());
  assert.deepEqual(verdict, { allowed: false, policy: null, details: 'rbac_access_denied_matched_policy[none]' });
  assert.equal(compile({}).evaluate(connection(), request()).allowed, false);
});

test('DENY names the first matching policy in order of names', () => {
  const policies = { z: everybody, b: everybody, a: nobody };
  const verdict = compile({ action: 'DENY', policies }).evaluate(connection(), request());
  assert.deepEqual(verdict, { allowed: false, policy: 'b', details: 'rbac_access_denied_matched_policy[b]' });
  assert.equal(compile({ action: 'DENY' }).evaluate(connection(), request()).allowed, true);
});

test('LOG grants whatever matches', () => {
  assert.equal(compile({ action: 'LOG', policies: { a: everybody } }).evaluate(connection(), request()).allowed, true);
  assert.equal(compile({ action: 'LOG' }).evaluate(connection(), request()).allowed, true);
});

test('shadow rules are counted and refuse nobody', () => {
  const scope = new Scope({ prefix: 'http' });
  const counters = new RbacCounters(scope, { rulesPrefix: 'r_', shadowPrefix: 's_', perPolicy: true });
  const enforcer = new RbacEnforcer(
    compile({ policies: { open: everybody } }),
    compile({ action: 'DENY', policies: { shut: everybody } }),
    counters,
  );
  assert.equal(enforcer.refusal(connection(), request()), null);
  const values = Object.fromEntries(
    [...scope.metrics].map(([name, metric]) => [name, 'value' in metric ? metric.value : 0]),
  );
  assert.deepEqual(values, {
    'rbac.r_allowed': 1,
    'rbac.r_denied': 0,
    'rbac.s_shadow_allowed': 0,
    'rbac.s_shadow_denied': 1,
    'rbac.policy.shut.shadow_denied': 1,
    'rbac.policy.open.allowed': 1,
  });
});

test('a request rule never matches a bare connection', () => {
  assert.equal(allows({ urlPath: { path: { prefix: '/' } } }, any, connection(), null), false);
});

const broken: [name: string, config: RbacConfig, code: string, path: string][] = [
  ['an unknown action', { action: 7 as never }, 'WEFT0734', 'rules.action'],
  ['no permissions', { policies: { p: { principals: [any] } } }, 'WEFT0731', 'rules.policies["p"].permissions'],
  [
    'an empty permission',
    { policies: { p: { permissions: [{}], principals: [any] } } },
    'WEFT0731',
    'rules.policies["p"].permissions[0]',
  ],
  [
    'any: false',
    { policies: { p: { permissions: [{ any: false }], principals: [any] } } },
    'WEFT0731',
    'rules.policies["p"].permissions[0]',
  ],
  [
    'an empty list within',
    { policies: { p: { permissions: [{ orRules: {} }], principals: [any] } } },
    'WEFT0731',
    'rules.policies["p"].permissions[0].or_rules',
  ],
  [
    'a condition',
    { policies: { p: { ...everybody, condition: {} as never } } },
    'WEFT0709',
    'rules.policies["p"].condition',
  ],
  [
    'metadata',
    { policies: { p: { permissions: [any], principals: [{ metadata: {} }] } } },
    'WEFT0709',
    'rules.policies["p"].principals[0].metadata',
  ],
  [
    'a bad range',
    {
      policies: { p: { permissions: [any], principals: [{ remoteIp: { addressPrefix: '10.0.0.0', prefixLen: 33 } }] } },
    },
    'WEFT0730',
    'rules.policies["p"].principals[0].remote_ip.prefix_len',
  ],
  [
    'a bad address',
    { policies: { p: { permissions: [any], principals: [{ remoteIp: { addressPrefix: 'host' } }] } } },
    'WEFT0730',
    'rules.policies["p"].principals[0].remote_ip.address_prefix',
  ],
  [
    'a bad expression deep inside',
    {
      policies: {
        p: {
          permissions: [
            {
              notRule: {
                andRules: { rules: [any, { header: { name: 'a', stringMatch: { safeRegex: { regex: '[' } } } }] },
              },
            },
          ],
          principals: [any],
        },
      },
    },
    'WEFT0721',
    'rules.policies["p"].permissions[0].not_rule.and_rules.rules[1].header.string_match.safe_regex.regex',
  ],
];
for (const [name, config, code, path] of broken) {
  test(`reports ${name}`, () => {
    const issues: Issue[] = [];
    assert.equal(compileRbac(config, true, { issues, path: 'rules' }), null);
    assert.deepEqual(issues.map((issue) => [issue.code, issue.path]).at(0), [code, path]);
  });
}

test('warns about request rules in a network filter', () => {
  const issues: Issue[] = [];
  const policies = { p: { permissions: [{ header: { name: 'a', presentMatch: true } }], principals: [any] } };
  assert.ok(compileRbac({ policies }, false, { issues, path: 'rules' }));
  assert.deepEqual(
    issues.map((issue) => [issue.code, issue.level]),
    [['WEFT0732', 'warning']],
  );
});
