// All conditions of one route: path, headers, query, TLS, gRPC, a share of the traffic. All must hold.

import type { envoy } from '@weft/api/xds/types';
import { isGrpcType } from '@weft/lib/grpc/header';
import { fractionOf } from '../cluster/fraction.ts';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import { compileRequestHeaderMatcher, type HeaderMatcher } from './header-matcher.ts';
import { compilePathMatcher, type PathMatcher } from './path-matcher.ts';
import { compileQueryMatcher, type QueryMatcher } from './query-matcher.ts';
import type { RoutedRequest } from './routed-request.ts';

type RouteMatch = envoy.config.route.v3.RouteMatch;

interface Conditions {
  readonly headers: readonly HeaderMatcher[];
  readonly queries: readonly QueryMatcher[];
  /** 1 when every request takes part. */
  readonly share: number;
  readonly isGrpcOnly: boolean;
  readonly presented: boolean | null;
  readonly validated: boolean | null;
}

export class RouteMatcher {
  readonly path: PathMatcher;
  /** Null when the path alone decides. */
  private readonly conditions: Conditions | null;

  constructor(path: PathMatcher, conditions: Conditions | null) {
    this.path = path;
    this.conditions = conditions;
  }

  matches(request: RoutedRequest, end: number): boolean {
    if (!this.path.matches(request.method, request.path, end)) return false;
    return this.conditions === null || holds(this.conditions, request);
  }
}

function holds(conditions: Conditions, request: RoutedRequest): boolean {
  // The draw is spread again: the same number also chooses among weighted clusters.
  if (conditions.share < 1 && (request.random * 4099) % 1 >= conditions.share) return false;
  if (conditions.isGrpcOnly && !isGrpcType(request.headers.get('content-type'))) return false;
  for (const matcher of conditions.headers) if (!matcher.matchesRequest(request)) return false;
  for (const matcher of conditions.queries) if (!matcher.matches(request.path)) return false;
  return matchesTls(conditions, request);
}

// Only verified certificates are known here: one that was presented and not verified ended its connection.
function matchesTls(conditions: Conditions, request: RoutedRequest): boolean {
  const { presented, validated } = conditions;
  if (presented === null && validated === null) return true;
  if (!request.tls) return false;
  const hasPeer = request.connection.peer !== null;
  return (presented === null || presented === hasPeer) && (validated === null || validated === hasPeer);
}

/** The conditions, or null after reporting. */
export function compileRouteMatcher(match: RouteMatch, sink: IssueSink): RouteMatcher | null {
  const path = compilePathMatcher(match, sink);
  const headers = (match.headers ?? []).map((config, i) =>
    compileRequestHeaderMatcher(config, sinkAt(sink, `headers[${i}]`)),
  );
  const queries = (match.queryParameters ?? []).map((config, i) =>
    compileQueryMatcher(config, sinkAt(sink, `query_parameters[${i}]`)),
  );
  if (match.dynamicMetadata !== undefined) {
    reportError(
      sinkAt(sink, 'dynamic_metadata'),
      'WEFT0313',
      'no filter sets dynamic metadata, so nothing can match it; use headers',
    );
  }
  if (path === null || headers.includes(null) || queries.includes(null)) return null;
  const conditions: Conditions = {
    headers: headers.filter((matcher) => matcher !== null),
    queries: queries.filter((matcher) => matcher !== null),
    share: match.runtimeFraction === undefined ? 1 : fractionOf(match.runtimeFraction.defaultValue),
    isGrpcOnly: match.grpc !== undefined,
    presented: match.tlsContext?.presented ?? null,
    validated: match.tlsContext?.validated ?? null,
  };
  return new RouteMatcher(path, isEmpty(conditions) ? null : conditions);
}

function isEmpty(conditions: Conditions): boolean {
  const { headers, queries, share, isGrpcOnly, presented, validated } = conditions;
  return (
    headers.length === 0 &&
    queries.length === 0 &&
    share >= 1 &&
    !isGrpcOnly &&
    presented === null &&
    validated === null
  );
}
