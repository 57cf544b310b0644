// `match` of an HTTP route: what the proxy compares per request, and what is known beforehand about the caller.

import type { HttpMatch, StringMatch } from '@weft/api/resource/http-route';
import type { envoy } from '@weft/api/xds/types';
import { labelsFit } from '../../model/host.ts';
import { resolveGateways } from '../../model/virtual-service.ts';
import { isEmptyMatch, stringMatcher } from '../message.ts';

type RouteMatch = envoy.config.route.v3.RouteMatch;
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;
type QueryParameterMatcher = envoy.config.route.v3.QueryParameterMatcher;

/** What is known of the caller when its routes are made. */
export interface MatchContext {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `mesh`, or the gateways whose servers the routes are for. */
  readonly gateways: readonly string[];
  /** Port of the service or of the gateway's server. */
  readonly port: number;
}

interface StaticConditions {
  readonly port?: number | undefined;
  readonly sourceLabels?: Readonly<Record<string, string>> | undefined;
  readonly sourceNamespace?: string | undefined;
  readonly gateways?: readonly string[] | undefined;
}

/** Whether a match can ever fit for this caller, gateway and port. `owner` is the namespace of the VirtualService. */
export function isApplicable(match: StaticConditions, context: MatchContext, owner: string): boolean {
  if (match.port !== undefined && match.port !== context.port) return false;
  if (!labelsFit(match.sourceLabels, context.labels)) return false;
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== context.namespace) return false;
  if (match.gateways === undefined || match.gateways.length === 0) return true;
  return resolveGateways(match.gateways, owner).some((gateway) => context.gateways.includes(gateway));
}

/** Every request. */
export const matchAll: RouteMatch = { prefix: '/' };

/** The wire form of a match. */
export function routeMatch(match: HttpMatch): RouteMatch {
  const headers = headerMatchers(match);
  const queryParameters = Object.entries(match.queryParams ?? {}).map(queryMatcher);
  return {
    ...pathMatch(match.uri),
    ...(match.ignoreUriCase === true && match.uri?.regex === undefined ? { caseSensitive: false } : {}),
    ...(headers.length > 0 ? { headers } : {}),
    ...(queryParameters.length > 0 ? { queryParameters } : {}),
  };
}

/** Whether the match takes every request, so that what follows is never reached. */
export function isCatchAll(match: RouteMatch): boolean {
  const isWholePath = match.prefix === '/' || match.safeRegex?.regex === '.*';
  return isWholePath && match.headers === undefined && match.queryParameters === undefined;
}

function pathMatch(uri: StringMatch | undefined): RouteMatch {
  if (uri?.exact !== undefined) return { path: uri.exact };
  if (uri?.prefix !== undefined) return { prefix: uri.prefix };
  if (uri?.regex !== undefined) return { safeRegex: { regex: uri.regex } };
  return matchAll;
}

function headerMatchers(match: HttpMatch): HeaderMatcher[] {
  const matchers = Object.entries(match.headers ?? {}).map(([name, value]) => headerMatcher(name, value));
  for (const [name, value] of Object.entries(match.withoutHeaders ?? {})) {
    const inverted = { ...headerMatcher(name, value), invertMatch: true };
    // A request without the header is a request whose header has another value.
    matchers.push(inverted.presentMatch === undefined ? { ...inverted, treatMissingHeaderAsEmpty: true } : inverted);
  }
  const pseudo: readonly [string, StringMatch | undefined][] = [
    [':method', match.method],
    [':authority', match.authority],
    [':scheme', match.scheme],
  ];
  for (const [name, value] of pseudo) {
    if (value !== undefined && !isEmptyMatch(value)) matchers.push(headerMatcher(name, value));
  }
  return matchers;
}

function headerMatcher(name: string, value: StringMatch): HeaderMatcher {
  const match = stringMatcher(value);
  return match === null ? { name, presentMatch: true } : { name, stringMatch: match };
}

function queryMatcher([name, value]: readonly [string, StringMatch]): QueryParameterMatcher {
  const match = stringMatcher(value);
  return match === null ? { name, presentMatch: true } : { name, stringMatch: match };
}
