import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import {
  findIssues,
  makeTable,
  matched,
  type RequestFields,
  request,
  routesOnly,
  to,
} from '../../../../test/kit/routes.ts';
import { hashText } from '../../cluster/hash.ts';

function hash(policies: readonly object[], fields: RequestFields = {}): number | null {
  return matched(makeTable(routesOnly([to('web', { prefix: '/' }, {}, { hash_policy: policies })]))).hash(
    request(fields),
  );
}

test('hashes what it is told to, and nothing where that is missing', () => {
  assert.equal(hash([]), null);
  const header = [{ header: { header_name: 'X-User' } }];
  assert.equal(hash(header), null);
  assert.equal(hash(header, { headers: Headers.of('x-user', 'a') }), hashText('a'));
  assert.equal(hash([{ header: { header_name: ':path' } }], { path: '/a?b' }), hashText('/a?b'));
  assert.equal(hash([{ query_parameter: { name: 'q' } }], { path: '/?q=a' }), hashText('a'));
  assert.equal(hash([{ query_parameter: { name: 'q' } }], { path: '/?p=a' }), null);
  assert.equal(hash([{ connection_properties: { source_ip: true } }]), hashText('10.0.0.9'));
  assert.equal(hash([{ connection_properties: { source_ip: false } }]), null);
  assert.equal(
    hash([{ cookie: { name: 'session' } }], { headers: Headers.of('cookie', 'a=b; session="x"', 'cookie', 'c=d') }),
    hashText('x'),
  );
});

test('rewrites a header before it is hashed, and minds no order of a repeated one', () => {
  const rewrite = { header_name: 'x-user', regex_rewrite: { pattern: { regex: '-.*' }, substitution: '' } };
  assert.equal(
    hash([{ header: rewrite }], { headers: Headers.of('x-user', 'a-1') }),
    hash([{ header: rewrite }], { headers: Headers.of('x-user', 'a-2') }),
  );
  const header = [{ header: { header_name: 'x-user' } }];
  assert.equal(
    hash(header, { headers: Headers.of('x-user', 'a', 'x-user', 'b') }),
    hash(header, { headers: Headers.of('x-user', 'b', 'x-user', 'a') }),
  );
});

test('joins policies, and stops at a terminal one that found something', () => {
  const [user, path] = [{ header: { header_name: 'x-user' } }, { header: { header_name: ':path' } }];
  const headers = Headers.of('x-user', 'a');
  assert.notEqual(hash([user, path], { headers }), hash([user], { headers }));
  assert.equal(hash([{ ...user, terminal: true }, path], { headers }), hash([user], { headers }));
  assert.equal(hash([{ ...user, terminal: true }, path]), hash([path]));
});

test('makes a cookie that lives as long as it is told to', () => {
  const cookie = { name: 'session', ttl: '60s', path: '/app', attributes: [{ name: 'SameSite', value: 'Strict' }] };
  const route = matched(makeTable(routesOnly([to('web', { prefix: '/' }, {}, { hash_policy: [{ cookie }] })])));
  const first = request();
  const made = route.hash(first);
  assert.equal(first.cookies.length, 1);
  assert.match(first.cookies[0] ?? '', /^session=[0-9a-f]{16}; Max-Age=60; Path=\/app; SameSite=Strict; HttpOnly$/);
  const value = /session=([0-9a-f]+)/.exec(first.cookies[0] ?? '')?.[1] ?? '';
  const second = request({ headers: Headers.of('cookie', `session=${value}`) });
  assert.equal(route.hash(second), made);
  assert.deepEqual(second.cookies, []);
});

test('a session cookie has no Max-Age, and without a lifetime none is made', () => {
  const withTtl = matched(
    makeTable(routesOnly([to('web', { prefix: '/' }, {}, { hash_policy: [{ cookie: { name: 's', ttl: '0s' } }] })])),
  );
  const sent = request();
  withTtl.hash(sent);
  assert.match(sent.cookies[0] ?? '', /^s=[0-9a-f]{16}; HttpOnly$/);
  assert.equal(hash([{ cookie: { name: 's' } }]), null);
});

test('reports policies that hash nothing', () => {
  const policies = [
    { header: {} },
    { cookie: { name: 'a b' } },
    { query_parameter: {} },
    { filter_state: { key: 'x' } },
  ];
  const issues = findIssues(routesOnly([to('web', { prefix: '/' }, {}, { hash_policy: policies })]));
  assert.deepEqual(
    issues.map((text) => text.replace('virtual_hosts[0].routes[0].route.', '')),
    [
      'WEFT0325 hash_policy[0].header.header_name',
      'WEFT0325 hash_policy[1].cookie.name',
      'WEFT0325 hash_policy[2].query_parameter.name',
      'WEFT0325 hash_policy[3]',
    ],
  );
});
