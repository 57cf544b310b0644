// What a matched HTTP route does: forward to one or several clusters, redirect, or answer.

import type { HttpRedirect, HttpRewrite, HttpRoute, HttpRouteDestination } from '@weft/api/resource/http-route';
import type { envoy } from '@weft/api/xds/types';
import { maxDirectResponseBytes } from '../../resource/virtual-service/direct-response.ts';
import { blackHoleCluster } from '../cluster-name.ts';
import { durationOf, escapeRegex, noTimeout, routeTimeouts } from '../message.ts';
import type { MissingTarget, Reach, Target } from '../reach.ts';
import { hashPolicies } from './hash-policy.ts';
import { type HeaderFields, headerFields, hostOverride } from './header-changes.ts';
import type { MatchContext } from './http-match.ts';
import { retryPolicy } from './retry-policy.ts';

type Route = envoy.config.route.v3.Route;
type RouteAction = envoy.config.route.v3.RouteAction;
type RouteMatch = envoy.config.route.v3.RouteMatch;
type ClusterWeight = envoy.config.route.v3.WeightedCluster.ClusterWeight;
type RedirectAction = envoy.config.route.v3.RedirectAction;

/** Who asks, and where the rule stands. */
export interface ActionContext extends MatchContext {
  readonly reach: Reach;
  /** Namespace of the VirtualService. */
  readonly owner: string;
  readonly hasTls: boolean;
}

/** The action fields of a route; `match` decides how a rewrite is done. */
export function routeAction(route: HttpRoute, match: RouteMatch, context: ActionContext): Route {
  if (route.redirect !== undefined) {
    return { redirect: redirectAction(route.redirect, context), ...headerFields(route.headers) };
  }
  if (route.directResponse !== undefined)
    return { ...directResponse(route.directResponse), ...headerFields(route.headers) };
  return forward(route, match, context);
}

/** Of a route table: without it proxies take direct responses of 4 KiB and refuse the table for a longer one. */
export const bodyLimit = { maxDirectResponseBodySizeBytes: maxDirectResponseBytes };

function directResponse({ status, body }: NonNullable<HttpRoute['directResponse']>): Route {
  if (body?.bytes !== undefined) {
    return { directResponse: { status, body: { inlineBytes: Buffer.from(body.bytes, 'base64') } } };
  }
  if (body?.string !== undefined) return { directResponse: { status, body: { inlineString: body.string } } };
  return { directResponse: { status } };
}

const redirectCodes: Readonly<Record<number, RedirectAction['responseCode']>> = {
  301: 'MOVED_PERMANENTLY',
  302: 'FOUND',
  303: 'SEE_OTHER',
  307: 'TEMPORARY_REDIRECT',
  308: 'PERMANENT_REDIRECT',
};

function redirectAction(redirect: HttpRedirect, context: ActionContext): RedirectAction {
  const responseCode = redirectCodes[redirect.redirectCode ?? 301];
  const portRedirect = redirectPort(redirect, context);
  return {
    ...(redirect.authority === undefined ? {} : { hostRedirect: redirect.authority }),
    ...(redirect.scheme === undefined ? {} : { schemeRedirect: redirect.scheme }),
    ...(portRedirect === undefined ? {} : { portRedirect }),
    ...redirectPath(redirect),
    ...(responseCode === undefined || responseCode === 'MOVED_PERMANENTLY' ? {} : { responseCode }),
  };
}

function redirectPath(redirect: HttpRedirect): RedirectAction {
  if (redirect.prefixRewrite !== undefined) return { prefixRewrite: redirect.prefixRewrite };
  return redirect.uri === undefined ? {} : { pathRedirect: redirect.uri };
}

function redirectPort(redirect: HttpRedirect, context: ActionContext): number | undefined {
  if (redirect.port !== undefined) return redirect.port;
  if (redirect.derivePort === 'FROM_REQUEST_PORT') return context.port;
  if (redirect.derivePort !== 'FROM_PROTOCOL_DEFAULT') return undefined;
  const scheme = redirect.scheme ?? (context.hasTls ? 'https' : 'http');
  return scheme === 'https' ? 443 : 80;
}

function forward(route: HttpRoute, match: RouteMatch, context: ActionContext): Route {
  const destinations = withWeight(route.route ?? []);
  const targets = destinations.map(({ destination }) => context.reach.target(destination, context.owner, context.port));
  const [first] = destinations;
  const [target] = targets;
  if (first === undefined || target === undefined) {
    return unavailable({ missing: 'the rule names no destination with a weight' });
  }
  if (targets.length === 1 && 'missing' in target) return unavailable(target);
  const ofRule = route.rewrite?.authority ?? hostOverride(route.headers);
  const host = ofRule ?? (targets.length === 1 ? hostOverride(first.headers) : undefined);
  const policy = retryPolicy(route.retries);
  const hashPolicy = hashPolicies(targets, context.reach);
  const action: RouteAction = {
    ...clusterChoice(destinations, targets, ofRule === undefined),
    ...(host === undefined ? {} : { hostRewriteLiteral: host }),
    ...pathRewrite(route.rewrite, match),
    ...routeTimeouts(durationOf(route.timeout) ?? noTimeout),
    ...(policy === undefined ? {} : { retryPolicy: policy }),
    ...(hashPolicy.length > 0 ? { hashPolicy } : {}),
  };
  const headers: HeaderFields =
    targets.length === 1 ? headerFields(route.headers, first.headers) : headerFields(route.headers);
  return { route: action, ...headers };
}

/** Several destinations without any weight share evenly; otherwise those without weight get nothing. */
function withWeight(destinations: readonly HttpRouteDestination[]): readonly HttpRouteDestination[] {
  if (destinations.length <= 1) return destinations;
  const weighted = destinations.filter(({ weight }) => (weight ?? 0) > 0);
  return weighted.length > 0 ? weighted : destinations.map((entry) => ({ ...entry, weight: 1 }));
}

/** `ownHosts`: whether a `Host` of a destination counts, which one of the whole rule goes before. */
function clusterChoice(
  destinations: readonly HttpRouteDestination[],
  targets: readonly (Target | MissingTarget)[],
  ownHosts: boolean,
): RouteAction {
  const [only] = targets;
  if (targets.length === 1 && only !== undefined) return { cluster: clusterOf(only) };
  const clusters = destinations.map((entry, index): ClusterWeight => {
    const target = targets[index];
    const host = ownHosts ? hostOverride(entry.headers) : undefined;
    return {
      name: target === undefined ? blackHoleCluster : clusterOf(target),
      weight: entry.weight ?? 0,
      ...(host === undefined ? {} : { hostRewriteLiteral: host }),
      ...headerFields(entry.headers),
    };
  });
  return { weightedClusters: { clusters } };
}

/** A part of the traffic whose destination is missing fails; the rest is served. */
export function clusterOf(target: Target | MissingTarget): string {
  return 'missing' in target ? blackHoleCluster : target.cluster;
}

/** Answers in place of a destination that does not exist, and says which. */
export function unavailable({ missing }: MissingTarget): Route {
  const inlineString = `WEFT0610: the route leads nowhere: ${missing}; correct the destination or create what it names\n`;
  return { directResponse: { status: 503, body: { inlineString } } };
}

function pathRewrite(rewrite: HttpRewrite | undefined, match: RouteMatch): RouteAction {
  const regex = rewrite?.uriRegexRewrite;
  if (regex?.match !== undefined) {
    return { regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite ?? '' } };
  }
  if (rewrite?.uri === undefined) return {};
  const { prefix } = match;
  const wouldDouble = rewrite.uri === '/' && prefix !== undefined && prefix !== '/' && !prefix.endsWith('/');
  if (!wouldDouble) return { prefixRewrite: rewrite.uri };
  // `/api` to `/` must turn `/api/x` into `/x`, not `//x`.
  const flags = match.caseSensitive === false ? '(?i)' : '';
  return { regexRewrite: { pattern: { regex: `${flags}^${escapeRegex(prefix)}(/?)(.*)` }, substitution: '/\\2' } };
}
