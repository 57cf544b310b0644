// Whether one match of a route covers another: the ground for "this route is never reached".

import type { HttpMatch, StringMatch } from '@weft/api/resource/http-route';
import { coversMatch, matchesAnything } from '../string-match.ts';

type Matches = Readonly<Record<string, StringMatch>>;

/** Whether every request that `narrow` takes is taken by `wide` too. False when that is not certain. */
export function coversHttpMatch(wide: HttpMatch, narrow: HttpMatch): boolean {
  return (
    coversUri(wide, narrow) &&
    coversMatch(wide.scheme, narrow.scheme, false) &&
    coversMatch(wide.method, narrow.method, false) &&
    coversMatch(wide.authority, narrow.authority, false) &&
    coversAll(wide.headers, narrow.headers) &&
    coversAll(wide.queryParams, narrow.queryParams) &&
    sameAll(wide.withoutHeaders, narrow.withoutHeaders) &&
    (wide.port === undefined || wide.port === narrow.port) &&
    coversLabels(wide.sourceLabels, narrow.sourceLabels) &&
    (wide.sourceNamespace === undefined || wide.sourceNamespace === narrow.sourceNamespace) &&
    coversGateways(wide.gateways, narrow.gateways)
  );
}

function coversUri(wide: HttpMatch, narrow: HttpMatch): boolean {
  // Every path begins with a slash.
  if (wide.uri?.prefix === '/' || matchesAnything(wide.uri)) return true;
  if (narrow.ignoreUriCase === true && wide.ignoreUriCase !== true) return false;
  return coversMatch(wide.uri, narrow.uri, wide.ignoreUriCase === true);
}

/** Each condition of `wide` must be implied by one of `narrow`. */
function coversAll(wide: Matches | undefined, narrow: Matches | undefined): boolean {
  return Object.entries(wide ?? {}).every(([name, match]) => {
    const other = narrow?.[name];
    return other !== undefined && coversMatch(match, other, false);
  });
}

/** Negations are compared for equality only. */
function sameAll(wide: Matches | undefined, narrow: Matches | undefined): boolean {
  return Object.entries(wide ?? {}).every(([name, match]) => JSON.stringify(match) === JSON.stringify(narrow?.[name]));
}

function coversLabels(
  wide: Readonly<Record<string, string>> | undefined,
  narrow: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(wide ?? {}).every(([key, value]) => narrow?.[key] === value);
}

function coversGateways(wide: readonly string[] | undefined, narrow: readonly string[] | undefined): boolean {
  if (wide === undefined || wide.length === 0) return true;
  if (narrow === undefined || narrow.length === 0) return false;
  return narrow.every((name) => wide.includes(name));
}
