import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import { findIssues, makeTable, type RequestFields, routeName, routesOnly, to } from '../../../test/kit/routes.ts';

function matches(match: object, fields: RequestFields): boolean {
  return routeName(makeTable(routesOnly([to('yes', match)])), fields) !== null;
}

const pathCases: [match: object, path: string, expected: boolean][] = [
  [{ prefix: '/' }, '/anything?x', true],
  [{ prefix: '/api' }, '/api', true],
  [{ prefix: '/api' }, '/apiary', true],
  [{ prefix: '/api' }, '/API', false],
  [{ prefix: '/api', case_sensitive: false }, '/API/x', true],
  [{ prefix: '/API', case_sensitive: false }, '/api', true],
  [{ prefix: '/api/v1' }, '/api?/api/v1', false],
  [{ prefix: '/api/v1' }, '/api/v', false],
  [{ path: '/one' }, '/one', true],
  [{ path: '/one' }, '/one?two', true],
  [{ path: '/one' }, '/one#two', true],
  [{ path: '/one' }, '/one/', false],
  [{ path: '/one' }, '/on', false],
  [{ path: '/One', case_sensitive: false }, '/oNE', true],
  [{ path_separated_prefix: '/api' }, '/api', true],
  [{ path_separated_prefix: '/api' }, '/api?x', true],
  [{ path_separated_prefix: '/api' }, '/api/v1', true],
  [{ path_separated_prefix: '/api' }, '/apiary', false],
  [{ safe_regex: { regex: '/v[0-9]+' } }, '/v12?x=y', true],
  [{ safe_regex: { regex: '/v[0-9]+' } }, '/v12/x', false],
  [{ safe_regex: { regex: '/.*é' } }, Buffer.from('/caffé').toString('latin1'), true],
  [{ prefix: '/é' }, Buffer.from('/éa').toString('latin1'), true],
];

for (const [match, path, expected] of pathCases) {
  test(`${JSON.stringify(match)} ${expected ? 'takes' : 'leaves'} ${path}`, () => {
    assert.equal(matches(match, { path }), expected);
  });
}

test('routes are tried in order', () => {
  const table = makeTable(routesOnly([to('one', { path: '/a' }), to('two', { prefix: '/a' }), to('three')]));
  assert.deepEqual(
    ['/a', '/ab', '/b'].map((path) => routeName(table, { path })),
    ['one', 'two', 'three'],
  );
});

test('a CONNECT matcher takes CONNECT only', () => {
  assert.equal(matches({ connect_matcher: {} }, { method: 'CONNECT', path: '' }), true);
  assert.equal(matches({ connect_matcher: {} }, { method: 'GET', path: '/' }), false);
  assert.equal(matches({ prefix: '/x' }, { method: 'CONNECT', path: '' }), false);
});

test('path parameters are left out of account where told to', () => {
  const table = makeTable(routesOnly([to('yes', { path: '/a' })], { ignore_path_parameters_in_path_matching: true }));
  assert.equal(routeName(table, { path: '/a;b=c?d' }), 'yes');
});

test('matches the line of the request by its pseudo names', () => {
  const header = (name: string, exact: string): object => ({
    prefix: '/',
    headers: [{ name, string_match: { exact } }],
  });
  assert.equal(matches(header(':method', 'POST'), { method: 'POST' }), true);
  assert.equal(matches(header(':method', 'POST'), { method: 'GET' }), false);
  assert.equal(matches(header(':path', '/a?b'), { path: '/a?b' }), true);
  assert.equal(matches(header(':authority', 'a.test'), { authority: 'a.test' }), true);
  assert.equal(matches(header('Host', 'a.test'), { authority: 'a.test' }), true);
  assert.equal(matches(header(':scheme', 'https'), { scheme: 'https' }), true);
});

test('matches query parameters as they stand', () => {
  const query = (matcher: object): object => ({ prefix: '/', query_parameters: [{ name: 'q', ...matcher }] });
  assert.equal(matches(query({ string_match: { exact: 'a b' } }), { path: '/?q=a%20b' }), false);
  assert.equal(matches(query({ string_match: { exact: 'a%20b' } }), { path: '/?x=1&q=a%20b&y' }), true);
  assert.equal(matches(query({ string_match: { exact: 'one' } }), { path: '/?q=one&q=two' }), true);
  assert.equal(matches(query({ string_match: { exact: 'two' } }), { path: '/?q=one&q=two' }), false);
  assert.equal(matches(query({ present_match: true }), { path: '/?q' }), true);
  assert.equal(matches(query({ present_match: true }), { path: '/?qq=1' }), false);
  assert.equal(matches(query({ present_match: false }), { path: '/?x=q' }), true);
  assert.equal(matches(query({ string_match: { safe_regex: { regex: '[0-9]+' } } }), { path: '/?q=12#f' }), true);
});

test('takes the share of requests it is told to, whatever the weights say', () => {
  const fraction = { runtime_fraction: { default_value: { numerator: 30, denominator: 'HUNDRED' } } };
  const table = makeTable(routesOnly([to('some', { prefix: '/', ...fraction }), to('rest')]));
  let taken = 0;
  for (let i = 0; i < 10_000; i++) if (routeName(table, { random: i / 10_000 }) === 'some') taken++;
  assert.ok(Math.abs(taken - 3000) < 100, String(taken));
});

test('takes gRPC only where told to', () => {
  const grpc = { prefix: '/', grpc: {} };
  const type = (value: string): RequestFields => ({ headers: Headers.of('content-type', value) });
  assert.equal(matches(grpc, type('application/grpc')), true);
  assert.equal(matches(grpc, type('application/grpc+proto')), true);
  assert.equal(matches(grpc, type('application/grpc-web')), false);
  assert.equal(matches(grpc, {}), false);
});

test('asks for client certificates where told to', () => {
  const presented = { prefix: '/', tls_context: { presented: true } };
  const peer = { uriSans: [], dnsSans: [], subject: '', issuer: '', serial: '', hash: '', pem: '' };
  assert.equal(matches(presented, { tls: true, connection: { peer } }), true);
  assert.equal(matches(presented, { tls: true }), false);
  assert.equal(matches(presented, { tls: false }), false);
  assert.equal(matches({ prefix: '/', tls_context: { validated: false } }, { tls: true }), true);
});

test('reports every condition that cannot be met', () => {
  const match = {
    safe_regex: { regex: '(' },
    headers: [
      { name: 'bad name' },
      { name: 'x', string_match: { safe_regex: { regex: 'a'.repeat(5000) } } },
      { name: 'x', string_match: {} },
      { name: 'x', string_match: { prefix: '' } },
    ],
    query_parameters: [{ name: '' }],
    dynamic_metadata: [{ filter: 'x' }],
  };
  assert.deepEqual(
    findIssues(
      routesOnly([to('a', match), to('b', {}), to('c', { path_separated_prefix: '/a/' }), { route: { cluster: 'd' } }]),
    ),
    [
      'WEFT0300 virtual_hosts[0].routes[0].match.safe_regex.regex',
      'WEFT0311 virtual_hosts[0].routes[0].match.headers[0].name',
      'WEFT0300 virtual_hosts[0].routes[0].match.headers[1].string_match.safe_regex.regex',
      'WEFT0720 virtual_hosts[0].routes[0].match.headers[2].string_match',
      'WEFT0310 virtual_hosts[0].routes[0].match.headers[3].string_match.prefix',
      'WEFT0312 virtual_hosts[0].routes[0].match.query_parameters[0].name',
      'WEFT0313 virtual_hosts[0].routes[0].match.dynamic_metadata',
      'WEFT0313 virtual_hosts[0].routes[1].match',
      'WEFT0313 virtual_hosts[0].routes[2].match.path_separated_prefix',
      'WEFT0313 virtual_hosts[0].routes[3].match',
    ],
  );
});
