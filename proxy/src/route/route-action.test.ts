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
} from '../../../test/kit/routes.ts';
import { filterDisabled } from './filter-override.ts';

function only(route: object, more: object = {}, host: object = {}): ReturnType<typeof matched> {
  return matched(makeTable(routesOnly([route], more, host)));
}

function rewritten(
  action: object,
  fields: RequestFields,
  match: object = { prefix: '/' },
  tells = true,
): [path: string, authority: string, headers: [string, string][]] {
  const sent = request(fields);
  matched(makeTable(routesOnly([to('web', match, {}, action)])), fields).rewrite(sent, tells);
  return [sent.path, sent.authority, sent.headers.entries()];
}

test('has the defaults of Envoy', () => {
  const route = only(to('web'));
  assert.deepEqual(
    [
      route.timeoutMs,
      route.idleTimeoutMs,
      route.maxStreamDurationMs,
      route.retry,
      route.upgrades,
      route.clusterNotFoundStatus,
    ],
    [15_000, -1, -1, null, null, 503],
  );
  assert.deepEqual([route.pickCluster(request()), route.virtualHost.name, route.isForwarding], ['web', 'all', true]);
});

test('zero switches time-outs off', () => {
  const route = only(
    to(
      'web',
      { prefix: '/' },
      {},
      { timeout: '0s', idle_timeout: '0s', max_stream_duration: { max_stream_duration: '0s' } },
    ),
  );
  assert.deepEqual([route.timeoutMs, route.idleTimeoutMs, route.maxStreamDurationMs], [0, 0, 0]);
});

test('limits the stream in place of the response where it names both', () => {
  const max_stream_duration = { max_stream_duration: '20s' };
  const route = only(to('web', { prefix: '/' }, {}, { timeout: '3s', max_grpc_timeout: '3s', max_stream_duration }));
  const call = Headers.of('content-type', 'application/grpc', 'grpc-timeout', '2S');
  assert.deepEqual([route.timeoutOf(Headers.of()), route.timeoutOf(call), route.durationMs(call)], [0, 0, 20_000]);
});

test('grants gRPC clients the time they ask for, up to the limit and less the offset', () => {
  const route = only(
    to(
      'web',
      { prefix: '/' },
      {},
      {
        max_stream_duration: {
          max_stream_duration: '20s',
          grpc_timeout_header_max: '10s',
          grpc_timeout_header_offset: '0.1s',
        },
      },
    ),
  );
  const asking = (value: string): number => route.durationMs(Headers.of('grpc-timeout', value));
  assert.deepEqual([asking('2S'), asking('30S'), asking('50m'), asking('nonsense')], [1900, 9900, 50, 20_000]);
  assert.equal(route.durationMs(Headers.of()), 20_000);
  // No time at all is as little as there is, not all of it.
  assert.deepEqual([asking('0m'), asking('0n')], [1, 1]);
});

test('takes the cluster from a header where told to', () => {
  const route = only({
    match: { prefix: '/' },
    route: { cluster_header: 'X-Target', cluster_not_found_response_code: 'NOT_FOUND' },
  });
  assert.equal(route.pickCluster({ headers: Headers.of('x-target', 'other') }), 'other');
  assert.equal(route.pickCluster({ headers: Headers.of() }), null);
  assert.equal(route.clusterNotFoundStatus, 404);
});

test('splits by weight, each cluster with its own headers and filter settings', () => {
  const weighted = {
    clusters: [
      { name: 'v1', weight: 90, response_headers_to_add: [{ header: { key: 'x-version', value: '1' } }] },
      { name: 'v2', weight: 10, host_rewrite_literal: 'v2.test' },
      { name: 'v3', weight: 0 },
    ],
  };
  const table = makeTable(routesOnly([{ match: { prefix: '/' }, route: { weighted_clusters: weighted } }]));
  const counts: Record<string, number> = {};
  for (let i = 0; i < 1000; i++) {
    const name = matched(table, { random: i / 1000 }).pickCluster(request()) ?? 'none';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  assert.deepEqual(counts, { v1: 900, v2: 100 });
  assert.equal(matched(table, { random: 0.1 }).changesResponseHeaders, true);
  const second = matched(table, { random: 0.95 });
  assert.equal(second.changesResponseHeaders, false);
  const sent = request();
  second.rewrite(sent, true);
  assert.equal(sent.authority, 'v2.test');
  assert.deepEqual([...table.clusters], ['v1', 'v2']);
});

test('a header can bring the draw among weighted clusters', () => {
  const weighted = {
    header_name: 'X-Draw',
    clusters: [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 1 },
    ],
  };
  const table = makeTable(routesOnly([{ match: { prefix: '/' }, route: { weighted_clusters: weighted } }]));
  const pick = (draw: string): string | null =>
    matched(table, { random: 0, headers: Headers.of('x-draw', draw) }).pickCluster(request());
  assert.deepEqual([pick('0'), pick('1'), pick('2'), pick('x')], ['a', 'b', 'a', 'a']);
});

test('rewrites the prefix that matched', () => {
  const action = { prefix_rewrite: '/new' };
  assert.deepEqual(rewritten(action, { path: '/old/x?q' }, { prefix: '/old' }), [
    '/new/x?q',
    'web.test',
    [['x-envoy-original-path', '/old/x?q']],
  ]);
  assert.equal(rewritten(action, { path: '/OLD/x' }, { prefix: '/old', case_sensitive: false })[0], '/new/x');
  assert.equal(rewritten(action, { path: '/old?q' }, { path: '/old' })[0], '/new?q');
  assert.equal(rewritten(action, { path: '/abc?q' }, { safe_regex: { regex: '/a.*' } })[0], '/new?q');
  assert.equal(rewritten({ prefix_rewrite: '/' }, { path: '/api' }, { path_separated_prefix: '/api' })[0], '/');
  assert.equal(rewritten({ prefix_rewrite: 'x' }, { path: '/api/y' }, { prefix: '/api' })[0], '/x/y');
  assert.deepEqual(rewritten({ prefix_rewrite: '/old' }, { path: '/old' }, { prefix: '/old' })[2], [
    ['x-envoy-original-path', '/old'],
  ]);
});

test('rewrites the path by an expression, never the query', () => {
  const action = { regex_rewrite: { pattern: { regex: '^/service/([^/]+)(/.*)$' }, substitution: '\\2/instance/\\1' } };
  assert.equal(rewritten(action, { path: '/service/foo/v1/api?/service/x/y' })[0], '/v1/api/instance/foo?/service/x/y');
  assert.equal(rewritten(action, { path: '/other' })[0], '/other');
});

test('rewrites the host by a literal, a header or the path', () => {
  assert.equal(rewritten({ host_rewrite_literal: 'new.test' }, {})[1], 'new.test');
  assert.equal(rewritten({ host_rewrite_header: 'X-Host' }, { headers: Headers.of('x-host', 'h.test') })[1], 'h.test');
  assert.equal(rewritten({ host_rewrite_header: 'X-Host' }, {})[1], 'web.test');
  const byPath = { host_rewrite_path_regex: { pattern: { regex: '^/(.+)/.+$' }, substitution: '\\1' } };
  assert.equal(rewritten(byPath, { path: '/other.test/x?a/b' })[1], 'other.test');
});

test('tells in headers of Envoy what path and host were, in place of what the client says, unless it is not to', () => {
  const action = { host_rewrite_literal: 'web.test', prefix_rewrite: '/new' };
  const headers = (): Headers => Headers.of('x-envoy-original-host', 'made.up');
  assert.deepEqual(rewritten(action, { headers: headers(), path: '/old' }, { prefix: '/old' })[2], [
    ['x-envoy-original-host', 'web.test'],
    ['x-envoy-original-path', '/old'],
  ]);
  assert.deepEqual(rewritten(action, { headers: headers() }, { prefix: '/' }, false)[2], [
    ['x-envoy-original-host', 'made.up'],
  ]);
});

test('notes the host that was replaced where told to', () => {
  const action = { host_rewrite_literal: 'new.test', append_x_forwarded_host: true };
  assert.deepEqual(rewritten(action, { headers: Headers.of('x-forwarded-host', 'first.test') })[2], [
    ['x-envoy-original-host', 'web.test'],
    ['x-forwarded-host', 'first.test,web.test'],
  ]);
  assert.deepEqual(rewritten({ append_x_forwarded_host: true }, {})[2], []);
});

test('takes the name of the picked host where told to', () => {
  const route = only(to('web', { prefix: '/' }, {}, { auto_host_rewrite: true, append_x_forwarded_host: true }));
  const sent = request();
  route.rewrite(sent, true);
  assert.equal(sent.authority, 'web.test');
  route.rewriteHost(sent, '', true);
  assert.deepEqual([sent.authority, sent.headers.entries()], ['web.test', []]);
  route.rewriteHost(sent, 'endpoint.test', true);
  assert.deepEqual(sent.headers.entries(), [
    ['x-envoy-original-host', 'web.test'],
    ['x-forwarded-host', 'web.test'],
  ]);
  assert.equal(sent.authority, 'endpoint.test');
});

test('redirects', () => {
  const location = (redirect: object, fields: RequestFields = {}, match: object = { prefix: '/' }): string => {
    const reply = matched(makeTable(routesOnly([{ match, redirect }])), fields).redirect(request(fields));
    assert.ok(reply);
    return `${reply.status} ${reply.location}`;
  };
  const here = { path: '/a/b?q=1' };
  assert.equal(location({ https_redirect: true }, here), '301 https://web.test/a/b?q=1');
  assert.equal(
    location({ https_redirect: true, response_code: 'PERMANENT_REDIRECT' }, { authority: 'web.test:80' }),
    '308 https://web.test/',
  );
  assert.equal(location({ https_redirect: true }, { authority: 'web.test:8080' }), '301 https://web.test:8080/');
  assert.equal(
    location({ scheme_redirect: 'http' }, { scheme: 'https', authority: 'web.test:443' }),
    '301 http://web.test/',
  );
  assert.equal(location({ host_redirect: 'new.test', response_code: 'FOUND' }, here), '302 http://new.test/a/b?q=1');
  assert.equal(
    location({ port_redirect: 8443 }, { ...here, authority: 'web.test:1' }),
    '301 http://web.test:8443/a/b?q=1',
  );
  assert.equal(location({ port_redirect: 8443 }, { authority: '[::1]:1' }), '301 http://[::1]:8443/');
  assert.equal(location({ path_redirect: '/new', response_code: 'SEE_OTHER' }, here), '303 http://web.test/new?q=1');
  assert.equal(location({ path_redirect: '/new?mine' }, here), '301 http://web.test/new?mine');
  assert.equal(
    location({ path_redirect: '/new', strip_query: true, response_code: 'TEMPORARY_REDIRECT' }, here),
    '307 http://web.test/new',
  );
  assert.equal(location({ prefix_rewrite: '/new' }, here, { prefix: '/a' }), '301 http://web.test/new/b?q=1');
  assert.equal(
    location({ regex_rewrite: { pattern: { regex: 'b' }, substitution: 'c' } }, here),
    '301 http://web.test/a/c?q=1',
  );
});

test('answers by itself, from text, bytes, a file or the environment', (context) => {
  process.env.WEFT_TEST_BODY = '';
  context.after(() => delete process.env.WEFT_TEST_BODY);
  const direct = (body: object | undefined): unknown =>
    only({ match: { prefix: '/' }, direct_response: { status: 200, body } }).directResponse;
  assert.deepEqual(direct(undefined), { status: 200, body: '' });
  assert.deepEqual(direct({ inline_string: 'hé' }), { status: 200, body: 'hé' });
  assert.deepEqual(direct({ inline_bytes: Buffer.from('abc').toString('base64') }), { status: 200, body: 'abc' });
  assert.deepEqual(direct({ environment_variable: 'WEFT_TEST_BODY' }), { status: 200, body: '' });
  assert.match(JSON.stringify(direct({ filename: `${import.meta.dirname}/action/grpc-timeout.ts` })), /grpc-timeout/);
});

test('says which upgrades it lets through', () => {
  const configs = [
    { upgrade_type: 'websocket' },
    { upgrade_type: 'h2c', enabled: false },
    { upgrade_type: 'CONNECT', connect_config: {} },
  ];
  const route = only(to('web', { prefix: '/' }, {}, { upgrade_configs: configs }));
  assert.deepEqual(
    [...(route.upgrades ?? [])],
    [
      ['websocket', true],
      ['h2c', false],
      ['connect', true],
    ],
  );
  assert.equal(route.terminatesConnect, true);
});

test('filter settings of the most specific level hold', () => {
  const any = (text: string): object => ({ '@type': 'type.googleapis.com/google.protobuf.StringValue', value: text });
  const wrapped = { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', disabled: true };
  const inner = { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', config: any('abcd') };
  const weighted = { clusters: [{ name: 'a', weight: 1, typed_per_filter_config: { one: any('abc') } }] };
  const route = {
    match: { prefix: '/' },
    route: { weighted_clusters: weighted },
    typed_per_filter_config: { two: wrapped, five: inner },
  };
  const table = makeTable(
    routesOnly(
      [route],
      { typed_per_filter_config: { one: any(''), two: any(''), three: any(''), four: any('a') } },
      { typed_per_filter_config: { one: any(''), three: any('ab') } },
    ),
  );
  const found = matched(table);
  assert.equal(found.filterOverride('one'), 'one StringValue 5');
  assert.equal(found.filterOverride('two'), filterDisabled);
  assert.equal(found.filterOverride('three'), 'three StringValue 4');
  assert.equal(found.filterOverride('four'), 'four StringValue 3');
  assert.equal(found.filterOverride('five'), 'five StringValue 6');
  assert.equal(found.filterOverride('six'), null);
});

test('carries its origin', () => {
  const origin = {
    kind: 'VirtualService',
    namespace: 'default',
    name: 'reviews',
    generation: 2,
    file: 'vs.yaml',
    line: 7,
  };
  assert.deepEqual(
    only(to('web', { prefix: '/' }, { metadata: { filter_metadata: { 'weft.dev': { origin } } } })).origin,
    origin,
  );
  assert.equal(only(to('web')).origin, null);
});

test('reports every action that cannot be carried out', () => {
  const routes = [
    { match: { prefix: '/' } },
    { match: { prefix: '/' }, route: {} },
    { match: { prefix: '/' }, route: { weighted_clusters: { clusters: [{ name: 'a', weight: 0 }] } } },
    { match: { prefix: '/' }, route: { weighted_clusters: { total_weight: 5, clusters: [{ weight: 2 }] } } },
    {
      match: { prefix: '/' },
      redirect: { regex_rewrite: { pattern: { regex: 'a' }, substitution: '\\1' }, port_redirect: 70_000 },
    },
    { match: { prefix: '/' }, direct_response: { status: 100, body: { inline_string: 'x'.repeat(5000) } } },
    { match: { prefix: '/' }, direct_response: { status: 200, body: { filename: '/does/not/exist' } } },
    to('a', { prefix: '/' }, {}, { prefix_rewrite: '/a', regex_rewrite: { pattern: { regex: 'a' } } }),
    to(
      'a',
      { prefix: '/' },
      {},
      { host_rewrite_literal: 'a b', upgrade_configs: [{ upgrade_type: 'x' }, { upgrade_type: 'X' }] },
    ),
  ];
  assert.deepEqual(
    findIssues(routesOnly(routes)).map((text) => text.replace('virtual_hosts[0].routes', '')),
    [
      'WEFT0335 [0]',
      'WEFT0336 [1].route',
      'WEFT0338 [2].route.weighted_clusters.clusters',
      'WEFT0336 [3].route.weighted_clusters.clusters[0].name',
      'WEFT0338 [3].route.weighted_clusters.total_weight',
      'WEFT0330 [4].redirect.port_redirect',
      'WEFT0302 [4].redirect.regex_rewrite.substitution',
      'WEFT0332 [5].direct_response.status',
      'WEFT0333 [5].direct_response.body',
      'WEFT0333 [6].direct_response.body.filename',
      'WEFT0334 [7].route.regex_rewrite',
      'WEFT0337 [8].route.upgrade_configs[1].upgrade_type',
      'WEFT0331 [8].route.host_rewrite_literal',
    ],
  );
});
