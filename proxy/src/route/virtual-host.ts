// One virtual host: its routes in order, and what holds for all of them.

import type { Route } from './route.ts';
import type { RouteMatcher } from './route-matcher.ts';
import { pathEnd, type RoutedRequest } from './routed-request.ts';

/** A route, or the choice among the clusters of one. */
export interface RouteEntry {
  readonly matcher: RouteMatcher;
  /** The route, where there is nothing to choose. */
  readonly only: Route | null;
  readonly weighted: WeightedRoutes | null;
}

/** Routes that differ by cluster, with running totals of their weights. */
export interface WeightedRoutes {
  readonly routes: readonly Route[];
  readonly upTo: readonly number[];
  readonly total: number;
  /** Lower-case name of a header that brings the draw along, or null. */
  readonly header: string | null;
}

export type TlsRequirement = 'none' | 'external' | 'all';

export class VirtualHost {
  readonly name: string;
  /** Whether requests carry `x-envoy-attempt-count` upstream, and responses downstream. */
  readonly includesAttemptCount: boolean;
  readonly includesAttemptCountInResponse: boolean;
  readonly tlsRequirement: TlsRequirement;
  /** Set once, when the table is compiled: routes point back to their virtual host. */
  entries: readonly RouteEntry[] = [];
  /** Sends plain requests to https where that is required. */
  tlsRedirect: Route | null = null;

  constructor(
    name: string,
    includesAttemptCount: boolean,
    includesAttemptCountInResponse: boolean,
    requirement: TlsRequirement,
  ) {
    this.name = name;
    this.includesAttemptCount = includesAttemptCount;
    this.includesAttemptCountInResponse = includesAttemptCountInResponse;
    this.tlsRequirement = requirement;
  }

  match(request: RoutedRequest, ignoresParameters: boolean): Route | null {
    if (this.tlsRedirect !== null && this.mustRedirect(request)) return this.tlsRedirect;
    const end = ignoresParameters ? parametersStart(request.path) : pathEnd(request.path);
    for (const entry of this.entries) {
      if (!entry.matcher.matches(request, end)) continue;
      return entry.only ?? (entry.weighted === null ? null : chooseWeighted(entry.weighted, request));
    }
    return null;
  }

  private mustRedirect(request: RoutedRequest): boolean {
    if (request.scheme === 'https') return false;
    return this.tlsRequirement === 'all' || request.headers.get('x-envoy-internal') !== 'true';
  }
}

function parametersStart(path: string): number {
  const end = pathEnd(path);
  const semicolon = path.indexOf(';');
  return semicolon >= 0 && semicolon < end ? semicolon : end;
}

function chooseWeighted(weighted: WeightedRoutes, request: RoutedRequest): Route {
  const { routes, upTo, total } = weighted;
  const drawn = weighted.header === null ? request.random * total : drawFromHeader(request, weighted.header, total);
  for (let i = 0; i < upTo.length; i++) if (drawn < (upTo[i] as number)) return routes[i] as Route;
  return routes[routes.length - 1] as Route;
}

function drawFromHeader(request: RoutedRequest, header: string, total: number): number {
  const text = request.headers.get(header) ?? '';
  return /^[0-9]{1,15}$/.test(text) ? Number(text) % total : request.random * total;
}
