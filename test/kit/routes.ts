// Route tables and requests for tests: from Envoy's JSON, matched without a proxy around them.

import assert from 'node:assert/strict';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { messageFromJson, typeNameOf } from '@weft/lib/protobuf/codec';
import type { ConnectionInfo } from '@weft/proxy/io/connection-info';
import type { RouteCompileContext } from '@weft/proxy/route/compile-context';
import type { Route } from '@weft/proxy/route/route';
import type { RouteTable } from '@weft/proxy/route/route-table';
import type { RewritableRequest } from '@weft/proxy/route/routed-request';
import { compileRouteTable, type RouteConfiguration } from '@weft/proxy/route/table-config';
import type { StreamView } from '@weft/proxy/stream/stream';

/** Overrides compile to the type they have; only the cluster `known` exists. */
export const sampleContext: RouteCompileContext = {
  compileOverride: (name, config) => `${name} ${typeNameOf(config).split('.').at(-1)} ${config.value.length}`,
  hasCluster: (name) => name === 'known',
  validatesClusters: false,
};

/** The message of a JSON route configuration. */
export function parseTable(config: object): RouteConfiguration {
  const issues: Issue[] = [];
  const message = messageFromJson('envoy.config.route.v3.RouteConfiguration', config, issues);
  assert.deepEqual(issues, []);
  return message;
}

/** A table that must be right. */
export function makeTable(config: object): RouteTable {
  const issues: Issue[] = [];
  const table = compileRouteTable(parseTable(config), sampleContext, { issues, path: '' });
  assert.deepEqual(issues, []);
  return table;
}

/** What is wrong with a table, as `CODE path`. */
export function findIssues(config: object): string[] {
  const issues: Issue[] = [];
  compileRouteTable(parseTable(config), sampleContext, { issues, path: '' });
  return issues.map((issue) => `${issue.code} ${issue.path}`);
}

/** A table of one virtual host for every domain. */
export function routesOnly(routes: readonly object[], more: object = {}, host: object = {}): object {
  return { name: 'test', virtual_hosts: [{ name: 'all', domains: ['*'], routes, ...host }], ...more };
}

/** A route to a cluster, named like it. */
export function to(cluster: string, match: object = { prefix: '/' }, more: object = {}, action: object = {}): object {
  return { name: cluster, match, route: { cluster, ...action }, ...more };
}

export interface RequestFields {
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  readonly scheme?: string;
  readonly headers?: Headers;
  readonly random?: number;
  readonly tls?: boolean;
  readonly connection?: Partial<ConnectionInfo>;
}

export interface SampleRequest extends RewritableRequest {
  readonly cookies: string[];
  addResponseCookie(setCookie: string): void;
}

/** A request, `GET /` where nothing else is said. */
export function request(fields: RequestFields = {}): SampleRequest {
  const { method = 'GET', path = '/', authority = 'web.test', scheme = 'http', headers = Headers.of() } = fields;
  const { random = 0.5, tls = false } = fields;
  const connection = {
    remoteAddress: '10.0.0.9',
    remotePort: 1234,
    localAddress: '10.0.0.1',
    localPort: 80,
    peer: null,
    ...fields.connection,
  };
  const cookies: string[] = [];
  const addResponseCookie = (cookie: string): void => {
    cookies.push(cookie);
  };
  return {
    method,
    path,
    authority,
    scheme,
    headers,
    random,
    tls,
    connection: connection as ConnectionInfo,
    cookies,
    addResponseCookie,
  };
}

/** Name of the route that a request gets, or null. */
export function routeName(table: RouteTable, fields: RequestFields): string | null {
  return table.match(request(fields))?.name ?? null;
}

/** The route of a request that must have one. */
export function matched(table: RouteTable, fields: RequestFields = {}): Route {
  const route = table.match(request(fields));
  assert.ok(route, 'a route matches');
  return route;
}

/** A stream as far as header values with operators look at it. */
export function streamOf(headers: Headers): StreamView {
  return {
    requestHeaders: headers,
    responseHeaders: headers,
    protocol: 'HTTP/1.1',
    method: 'GET',
    connection: { remoteAddress: '10.0.0.9', remotePort: 1 },
  } as unknown as StreamView;
}
