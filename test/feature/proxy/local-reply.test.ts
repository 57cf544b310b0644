// What routes, virtual hosts and route tables add to the responses stands also in those that the proxy makes itself, as with Envoy.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openClient, type RawClient } from '../../kit/client.ts';
import { closedPort, reset, stall, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManagerFor, listener, startTestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const httpFilters = 'type.googleapis.com/envoy.extensions.filters.http';
const everyone = { permissions: [{ any: true }], principals: [{ any: true }] };
const refuse: Json = {
  'envoy.filters.http.rbac': {
    '@type': `${httpFilters}.rbac.v3.RBACPerRoute`,
    rbac: { rules: { action: 'DENY', policies: { all: everyone } } },
  },
};
const abort: Json = {
  'envoy.filters.http.fault': {
    '@type': `${httpFilters}.fault.v3.HTTPFault`,
    abort: { http_status: 418, percentage: { numerator: 100 } },
  },
};
const filters: readonly Json[] = [
  { name: 'envoy.filters.http.fault', typed_config: { '@type': `${httpFilters}.fault.v3.HTTPFault` } },
  { name: 'envoy.filters.http.rbac', typed_config: { '@type': `${httpFilters}.rbac.v3.RBAC` } },
  { name: 'envoy.filters.http.router', typed_config: { '@type': `${httpFilters}.router.v3.Router` } },
];

function add(key: string, value: string): Json {
  return { header: { key, value } };
}

function route(path: string, action: Json, more: Json = {}): Json {
  return { match: { path }, response_headers_to_add: [add('x-route', '%RESPONSE_CODE%')], ...action, ...more };
}

async function start(context: TestContext): Promise<RawClient> {
  const broken = await startUpstream(context, [reset()]);
  const silent = await startUpstream(context, [stall()]);
  const dead = await closedPort();
  const overwrite = { ...add('content-type', 'application/problem'), append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
  const routes = [
    route('/empty', { route: { cluster: 'empty' } }),
    route('/dead', { route: { cluster: 'dead' } }),
    route('/reset', { route: { cluster: 'broken' } }),
    route('/late', { route: { cluster: 'silent', timeout: '0.05s' } }),
    route('/full', { route: { cluster: 'full' } }),
    route('/unnamed', { route: { cluster_header: 'x-cluster' } }),
    route('/refused', { route: { cluster: 'empty' } }, { typed_per_filter_config: refuse }),
    route('/aborted', { route: { cluster: 'empty' } }, { typed_per_filter_config: abort }),
    route('/own', { direct_response: { status: 202 } }),
    route('/own-refused', { direct_response: { status: 202 } }, { typed_per_filter_config: refuse }),
    { match: { path: '/typed' }, route: { cluster: 'empty' }, response_headers_to_add: [overwrite] },
    { match: { path: '/bare' }, route: { cluster: 'empty' }, response_headers_to_remove: ['content-type'] },
  ];
  const virtualHost = {
    name: 'all',
    domains: ['*'],
    routes,
    include_attempt_count_in_response: true,
    response_headers_to_add: [add('x-host', 'h')],
  };
  const table = { name: 'local', virtual_hosts: [virtualHost], response_headers_to_add: [add('x-table', 't')] };
  const manager = { http_filters: filters, route_config: table };
  const none = { thresholds: [{ max_requests: 0 }] };
  const proxy = await startTestProxy(context, () => ({
    listeners: [listener('main', httpManagerFor([], { manager }))],
    clusters: [
      cluster('empty', []),
      cluster('dead', [dead]),
      cluster('broken', [broken.port]),
      cluster('silent', [silent.port]),
      cluster('full', [dead], { circuit_breakers: none }),
    ],
  }));
  return openClient(context, proxy.port());
}

/** Status and what the three levels added. */
async function levels(client: RawClient, path: string): Promise<string> {
  const { status, headers } = await client.fetch('GET', path);
  return `${status} ${headers['x-route'] ?? '-'} ${headers['x-host'] ?? '-'} ${headers['x-table'] ?? '-'}`;
}

describe('replies of the proxy itself', () => {
  it('carry what the levels of the route add to responses', async (context) => {
    const client = await start(context);
    assert.equal(await levels(client, '/empty'), '503 503 h t');
    assert.equal(await levels(client, '/dead'), '503 503 h t');
    assert.equal(await levels(client, '/reset'), '503 503 h t');
    assert.equal(await levels(client, '/late'), '504 504 h t');
    assert.equal(await levels(client, '/full'), '503 503 h t');
    assert.equal(await levels(client, '/unnamed'), '503 503 h t');
    assert.equal(await levels(client, '/refused'), '403 403 h t');
    assert.equal(await levels(client, '/aborted'), '418 418 h t');
    assert.equal(await levels(client, '/own'), '202 202 h t');
  });

  it('carry nothing without a route, and nothing of a route whose own answer was not given', async (context) => {
    const client = await start(context);
    assert.equal(await levels(client, '/nowhere'), '404 - - -');
    assert.equal(await levels(client, '/own-refused'), '403 - - -');
  });

  it('have the type that the route says, and keep theirs when the route removes it', async (context) => {
    const client = await start(context);
    const typed = await client.fetch('GET', '/typed');
    assert.equal(typed.headers['content-type'], 'application/problem');
    assert.equal(typed.text, 'no healthy upstream');
    assert.equal((await client.fetch('GET', '/bare')).headers['content-type'], 'text/plain');
  });

  it('count the attempts where the virtual host wants it', async (context) => {
    const client = await start(context);
    assert.equal((await client.fetch('GET', '/dead')).headers['x-envoy-attempt-count'], '1');
    assert.equal((await client.fetch('GET', '/full')).headers['x-envoy-attempt-count'], '1');
    assert.equal((await client.fetch('GET', '/nowhere')).headers['x-envoy-attempt-count'], undefined);
  });

  it('to gRPC carry it beside the gRPC status', async (context) => {
    const client = await start(context);
    const { status, headers } = await client.fetch('GET', '/empty', { 'content-type': 'application/grpc' });
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'application/grpc');
    assert.equal(headers['grpc-status'], '14');
    assert.equal(headers['x-table'], 't');
  });
});
