import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import { findIssues, makeTable, matched, routesOnly, streamOf, to } from '../../../../test/kit/routes.ts';

function add(key: string, value: string, more: object = {}): object {
  return { header: { key, value }, ...more };
}

function mutated(fields: object, ...pairs: string[]): [string, string][] {
  const route = matched(makeTable(routesOnly([to('web', { prefix: '/' }, fields)])));
  const headers = Headers.of(...pairs);
  route.mutateRequestHeaders(headers, streamOf(headers));
  return headers.entries();
}

test('each way to add a header', () => {
  const to1 = (action: string | undefined, ...pairs: string[]): [string, string][] =>
    mutated(
      { request_headers_to_add: [add('X-One', 'new', action === undefined ? {} : { append_action: action })] },
      ...pairs,
    );
  assert.deepEqual(to1(undefined, 'x-one', 'old'), [
    ['x-one', 'old'],
    ['x-one', 'new'],
  ]);
  assert.deepEqual(to1('APPEND_IF_EXISTS_OR_ADD'), [['x-one', 'new']]);
  assert.deepEqual(to1('ADD_IF_ABSENT', 'x-one', 'old'), [['x-one', 'old']]);
  assert.deepEqual(to1('ADD_IF_ABSENT'), [['x-one', 'new']]);
  assert.deepEqual(to1('OVERWRITE_IF_EXISTS_OR_ADD', 'x-one', 'old', 'x-one', 'older'), [['x-one', 'new']]);
  assert.deepEqual(to1('OVERWRITE_IF_EXISTS'), []);
  assert.deepEqual(to1('OVERWRITE_IF_EXISTS', 'x-one', 'old'), [['x-one', 'new']]);
  assert.deepEqual(mutated({ request_headers_to_add: [add('x-one', 'new', { append: false })] }, 'x-one', 'old'), [
    ['x-one', 'new'],
  ]);
});

test('an empty value is left out unless it is to be kept', () => {
  assert.deepEqual(mutated({ request_headers_to_add: [add('x-one', '')] }), []);
  assert.deepEqual(mutated({ request_headers_to_add: [add('x-one', '', { keep_empty_value: true })] }), [
    ['x-one', ''],
  ]);
  const absent = add('x-one', '%REQ(x-missing)%', { append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' });
  assert.deepEqual(mutated({ request_headers_to_add: [absent] }, 'x-one', 'old'), [['x-one', 'old']]);
});

test('values may hold operators', () => {
  assert.deepEqual(
    mutated({ request_headers_to_add: [add('x-copy', 'was %REQ(x-one)%, 100%%')] }, 'x-one', 'a').at(-1),
    ['x-copy', 'was a, 100%'],
  );
});

test('removes before it adds', () => {
  const fields = { request_headers_to_remove: ['X-One'], request_headers_to_add: [add('x-one', 'new')] };
  assert.deepEqual(mutated(fields, 'x-one', 'old', 'x-two', 'kept'), [
    ['x-two', 'kept'],
    ['x-one', 'new'],
  ]);
});

test('the table has the last word, or the first where the most specific is to win', () => {
  const level = (value: string): object => ({
    response_headers_to_add: [add('x-level', value, { append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' })],
  });
  const weighted = { clusters: [{ name: 'a', weight: 1, ...level('cluster') }] };
  const route = { match: { prefix: '/' }, route: { weighted_clusters: weighted }, ...level('route') };
  for (const [mostSpecific, value] of [
    [false, 'table'],
    [true, 'cluster'],
  ] as const) {
    const table = makeTable(
      routesOnly([route], { ...level('table'), most_specific_header_mutations_wins: mostSpecific }, level('host')),
    );
    const headers = Headers.of();
    matched(table).mutateResponseHeaders(headers, streamOf(headers));
    assert.deepEqual(headers.entries(), [['x-level', value]]);
  }
});

test('appends of all levels come in order, the most specific first', () => {
  const level = (value: string): object => ({ request_headers_to_add: [add('x-level', value)] });
  const route = { ...to('web'), ...level('route') };
  const headers = Headers.of();
  matched(makeTable(routesOnly([route], level('table'), level('host')))).mutateRequestHeaders(
    headers,
    streamOf(headers),
  );
  assert.deepEqual(headers.getAll('x-level'), ['route', 'host', 'table']);
});

test('refuses names and values that would break the message', () => {
  const fields = {
    request_headers_to_remove: [':path', 'host', 'content-length', 'a b'],
    response_headers_to_add: [add('Host', 'x'), add('x-one', 'a\r\nb'), add('x-one', '%NO_SUCH_OPERATOR%')],
  };
  const issues = findIssues(routesOnly([to('web', { prefix: '/' }, fields)])).map((text) =>
    text.replace('virtual_hosts[0].routes[0].', ''),
  );
  assert.deepEqual(issues.slice(0, 6), [
    'WEFT0314 request_headers_to_remove[0]',
    'WEFT0314 request_headers_to_remove[1]',
    'WEFT0314 request_headers_to_remove[2]',
    'WEFT0314 request_headers_to_remove[3]',
    'WEFT0314 response_headers_to_add[0].header.key',
    'WEFT0315 response_headers_to_add[1].header.value',
  ]);
  assert.equal(issues.length, 7);
});
