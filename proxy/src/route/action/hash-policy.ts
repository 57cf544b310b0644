// What makes requests alike for the balancers that hash: headers, cookies, the client's address, query parameters.

import type { envoy } from '@weft/api/xds/types';
import { durationMs } from '@weft/lib/protobuf/duration';
import { combineHashes, hashText } from '../../cluster/hash.ts';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import { queryValue } from '../query-matcher.ts';
import type { RoutedRequest } from '../routed-request.ts';
import { compileRewrite, type TextRewrite, toWire } from '../wire-text.ts';

type HashPolicyConfig = envoy.config.route.v3.RouteAction.HashPolicy;
type CookieConfig = envoy.config.route.v3.RouteAction.HashPolicy.Cookie;

/** A request whose response can carry a generated cookie. */
export interface HashedRequest extends RoutedRequest {
  /** The client's own, by `x-forwarded-for` where that is trusted; the connection's when empty or absent. */
  readonly clientAddress?: string;
  /** Adds a `set-cookie` value to the response, when there is one. */
  addResponseCookie?(setCookie: string): void;
}

/** One policy: the hash of a request, or null where it has nothing to hash. */
interface Policy {
  readonly isTerminal: boolean;
  hash(request: HashedRequest): number | null;
}

export class HashPolicy {
  private readonly policies: readonly Policy[];

  constructor(policies: readonly Policy[]) {
    this.policies = policies;
  }

  /** Null when no policy applies: then any host will do. */
  hash(request: HashedRequest): number | null {
    let combined: number | null = null;
    for (const policy of this.policies) {
      const hash = policy.hash(request);
      if (hash !== null) combined = combined === null ? hash : combineHashes(combined, hash);
      if (policy.isTerminal && combined !== null) break;
    }
    return combined;
  }
}

/** Null when there are none. */
export function compileHashPolicy(configs: readonly HashPolicyConfig[], sink: IssueSink): HashPolicy | null {
  const policies = configs.flatMap((config, i) => {
    const policy = compileOne(config, sinkAt(sink, `hash_policy[${i}]`));
    return policy === null ? [] : [policy];
  });
  return policies.length === 0 ? null : new HashPolicy(policies);
}

function compileOne(config: HashPolicyConfig, sink: IssueSink): Policy | null {
  const isTerminal = config.terminal === true;
  if (config.header !== undefined) return compileHeader(config.header, isTerminal, sinkAt(sink, 'header'));
  if (config.cookie !== undefined) return compileCookie(config.cookie, isTerminal, sinkAt(sink, 'cookie'));
  if (config.connectionProperties !== undefined) {
    const { sourceIp = false } = config.connectionProperties;
    // As Envoy: behind another proxy all clients share a connection's address.
    const client = ({ clientAddress, connection }: HashedRequest): string => clientAddress || connection.remoteAddress;
    return { isTerminal, hash: (request) => (sourceIp ? hashText(client(request)) : null) };
  }
  if (config.queryParameter !== undefined) {
    const name = toWire(config.queryParameter.name ?? '');
    if (name === '')
      return reportError(sinkAt(sink, 'query_parameter.name'), 'WEFT0325', 'the query parameter has no name; give one');
    return { isTerminal, hash: (request) => hashOrNull(queryValue(request.path, name)) };
  }
  return reportError(
    sink,
    'WEFT0325',
    'the hash policy is not carried out; use header, cookie, connection_properties or query_parameter',
  );
}

function hashOrNull(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : hashText(text);
}

function compileHeader(
  config: NonNullable<HashPolicyConfig['header']>,
  isTerminal: boolean,
  sink: IssueSink,
): Policy | null {
  const name = (config.headerName ?? '').toLowerCase();
  if (name === '') return reportError(sinkAt(sink, 'header_name'), 'WEFT0325', 'the header has no name; give one');
  const rewrite =
    config.regexRewrite === undefined ? null : compileRewrite(config.regexRewrite, sinkAt(sink, 'regex_rewrite'));
  if (rewrite === null && config.regexRewrite !== undefined) return null;
  return { isTerminal, hash: (request) => hashHeader(request, name, rewrite) };
}

function hashHeader(request: RoutedRequest, name: string, rewrite: TextRewrite | null): number | null {
  if (name === ':path') return hashText(rewritten(request.path, rewrite));
  if (name === ':authority' || name === 'host') return hashText(rewritten(request.authority, rewrite));
  if (name === ':method') return hashText(rewritten(request.method, rewrite));
  const { headers } = request;
  const slot = headers.find(name, 0);
  if (slot < 0) return null;
  if (headers.find(name, slot + 1) < 0) return hashText(rewritten(headers.valueAt(slot), rewrite));
  // Sorted as in Envoy: the order of a repeated header must not change the host.
  return hashText(
    headers
      .getAll(name)
      .sort()
      .map((value) => rewritten(value, rewrite))
      .join(','),
  );
}

function rewritten(value: string, rewrite: TextRewrite | null): string {
  return rewrite === null ? value : rewrite.apply(value);
}

function compileCookie(config: CookieConfig, isTerminal: boolean, sink: IssueSink): Policy | null {
  const { name = '' } = config;
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
    return reportError(sinkAt(sink, 'name'), 'WEFT0325', `"${name}" is no cookie name; give one`);
  }
  const suffix = cookieSuffix(config, sink);
  const hash = (request: HashedRequest): number | null => {
    const value = cookieValue(request, name);
    if (value !== null) return hashText(value);
    if (suffix === null) return null;
    const made = generateCookie(request);
    request.addResponseCookie?.(`${name}=${made}${suffix}`);
    return hashText(made);
  };
  return { isTerminal, hash };
}

// Without a lifetime the cookie is never made here, only read.
function cookieSuffix(config: CookieConfig, sink: IssueSink): string | null {
  if (config.ttl === undefined) return null;
  const seconds = Math.floor(durationMs(config.ttl) / 1000);
  const attributes = (config.attributes ?? []).map(({ name = '', value = '' }) =>
    value === '' ? name : `${name}=${value}`,
  );
  const parts = [
    seconds > 0 ? `Max-Age=${seconds}` : '',
    config.path === undefined || config.path === '' ? '' : `Path=${config.path}`,
    ...attributes,
    'HttpOnly',
  ];
  const text = parts
    .filter((part) => part !== '')
    .map((part) => `; ${part}`)
    .join('');
  if (!/[\0-\x1f\x7f]/.test(text)) return text;
  reportError(sink, 'WEFT0325', 'path and attributes of the cookie must not hold control characters');
  return null;
}

// From both ends of the connection, as Envoy: the same client gets the same host even before it has stored the cookie.
function generateCookie(request: RoutedRequest): string {
  const { remoteAddress, remotePort, localAddress, localPort } = request.connection;
  const ends = `${remoteAddress}:${remotePort} ${localAddress}:${localPort}`;
  return hashText(ends).toString(16).padStart(8, '0') + hashText(ends, 1).toString(16).padStart(8, '0');
}

function cookieValue(request: RoutedRequest, name: string): string | null {
  const { headers } = request;
  for (let slot = headers.find('cookie', 0); slot >= 0; slot = headers.find('cookie', slot + 1)) {
    for (const pair of headers.valueAt(slot).split(';')) {
      const trimmed = pair.trim();
      if (!trimmed.startsWith(name) || trimmed[name.length] !== '=') continue;
      const value = trimmed.slice(name.length + 1);
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
  }
  return null;
}
