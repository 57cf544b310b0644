// How a route changes path and authority of a request before it is sent on.

import type { envoy } from '@weft/api/xds/types';
import type { Headers } from '@weft/lib/header';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import type { PathMatcher } from '../path-matcher.ts';
import { pathEnd, type RewritableRequest } from '../routed-request.ts';
import { compileRewrite, type TextRewrite, toWire } from '../wire-text.ts';

type RouteAction = envoy.config.route.v3.RouteAction;

/** Exactly one of the path rewrites and one of the host rewrites is set, if any. */
export class Rewrite {
  private readonly prefix: string | null;
  private readonly pathRegex: TextRewrite | null;
  private readonly hostLiteral: string;
  private readonly hostHeader: string;
  private readonly hostRegex: TextRewrite | null;
  private readonly appendsForwardedHost: boolean;

  constructor(fields: RewriteFields) {
    this.prefix = fields.prefix;
    this.pathRegex = fields.pathRegex;
    this.hostLiteral = fields.hostLiteral;
    this.hostHeader = fields.hostHeader;
    this.hostRegex = fields.hostRegex;
    this.appendsForwardedHost = fields.appendsForwardedHost;
  }

  /** `tells`: the endpoint learns in Envoy's headers what the path and the host were. */
  apply(request: RewritableRequest, matcher: PathMatcher, tells: boolean): void {
    this.rewriteHost(request, tells);
    if (this.prefix === null && this.pathRegex === null) return;
    const { path } = request;
    const end = pathEnd(path);
    // As Envoy, also where the path comes out as it was.
    if (tells) request.headers.set('x-envoy-original-path', path);
    request.path = this.newPath(path, end, matcher);
  }

  private newPath(path: string, end: number, matcher: PathMatcher): string {
    if (this.pathRegex !== null) return rooted(this.pathRegex.apply(path.slice(0, end))) + path.slice(end);
    return rooted((this.prefix ?? '') + path.slice(matcher.matchedLength(end)));
  }

  private rewriteHost(request: RewritableRequest, tells: boolean): void {
    const host = this.newHost(request);
    if (host !== '') this.setAuthority(request, host, tells);
  }

  private newHost(request: RewritableRequest): string {
    if (this.hostLiteral !== '') return this.hostLiteral;
    if (this.hostHeader !== '') return request.headers.get(this.hostHeader) ?? '';
    return this.hostRegex === null ? '' : this.hostRegex.apply(request.path.slice(0, pathEnd(request.path)));
  }

  /** Also for `auto_host_rewrite`, once the host is known. */
  setAuthority(request: RewritableRequest, authority: string, tells: boolean): void {
    if (tells) request.headers.set('x-envoy-original-host', request.authority);
    if (authority === request.authority) return;
    if (this.appendsForwardedHost) appendForwardedHost(request.headers, request.authority);
    request.authority = authority;
  }
}

// A path without its slash would make another request line of it.
function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function appendForwardedHost(headers: Headers, host: string): void {
  const before = headers.getAll('x-forwarded-host');
  headers.set('x-forwarded-host', [...before, host].join(','));
}

interface RewriteFields {
  readonly prefix: string | null;
  readonly pathRegex: TextRewrite | null;
  readonly hostLiteral: string;
  readonly hostHeader: string;
  readonly hostRegex: TextRewrite | null;
  readonly appendsForwardedHost: boolean;
}

/** Null when the route changes nothing, or after reporting. `hostLiteral` is the weighted cluster's own. */
export function compileRouteRewrite(
  action: RouteAction,
  hostLiteral: string | undefined,
  sink: IssueSink,
): Rewrite | null {
  checkHost(action, hostLiteral, sink);
  if (/[\0-\x20\x7f]/.test(action.prefixRewrite ?? '')) {
    reportError(sinkAt(sink, 'prefix_rewrite'), 'WEFT0331', 'the text holds spaces or control characters; remove them');
  }
  const { regexRewrite, hostRewritePathRegex } = action;
  const fields: RewriteFields = {
    // An empty string is proto3's way to say nothing.
    prefix: action.prefixRewrite === undefined || action.prefixRewrite === '' ? null : toWire(action.prefixRewrite),
    pathRegex: regexRewrite === undefined ? null : compileRewrite(regexRewrite, sinkAt(sink, 'regex_rewrite')),
    hostLiteral: toWire(hostLiteral ?? action.hostRewriteLiteral ?? ''),
    hostHeader: (action.hostRewriteHeader ?? '').toLowerCase(),
    hostRegex:
      hostRewritePathRegex === undefined
        ? null
        : compileRewrite(hostRewritePathRegex, sinkAt(sink, 'host_rewrite_path_regex')),
    appendsForwardedHost: action.appendXForwardedHost === true,
  };
  if (fields.prefix !== null && regexRewrite !== undefined) {
    return reportError(
      sinkAt(sink, 'regex_rewrite'),
      'WEFT0334',
      'prefix_rewrite and regex_rewrite exclude each other; keep one',
    );
  }
  const isIdle =
    fields.prefix === null &&
    fields.pathRegex === null &&
    fields.hostLiteral === '' &&
    fields.hostHeader === '' &&
    fields.hostRegex === null;
  return isIdle && action.autoHostRewrite !== true ? null : new Rewrite(fields);
}

function checkHost(action: RouteAction, hostLiteral: string | undefined, sink: IssueSink): void {
  for (const text of [action.hostRewriteLiteral, hostLiteral]) {
    if (!/[\0-\x20\x7f/?#]/.test(text ?? '')) continue;
    reportError(
      sinkAt(sink, 'host_rewrite_literal'),
      'WEFT0331',
      `"${text}" is no host; give a name, with a port if need be`,
    );
  }
}
