// Header conditions of access policies. They differ from a route's in one thing: each value of a repeated header counts apart.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../data-source.ts';
import { compileRegexPredicate, compileStringMatcher, type TextPredicate } from '../string-matcher.ts';
import type { RbacRequest } from './rule.ts';

type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;

/** Whether the request's header satisfies the condition. */
export type HeaderPredicate = (request: RbacRequest) => boolean;

interface HeaderPlace {
  readonly sink: IssueSink;
  /** Whether one matching value of several is enough, or every one must match. */
  readonly anyValue: boolean;
}

/** Null after reporting what is wrong. A header that is missing matches nothing, inverted or not, as in Envoy. */
export function compileRbacHeader(config: HeaderMatcher, place: HeaderPlace): HeaderPredicate | null {
  const name = (config.name ?? '').toLowerCase();
  if (name === '') return reportError(sinkAt(place.sink, 'name'), 'WEFT0733', 'the header has no name');
  const invert = config.invertMatch === true;
  if (config.presentMatch !== undefined || !hasPattern(config)) {
    const wanted = (config.presentMatch ?? true) !== invert;
    return (request) => isPresent(request, name) === wanted;
  }
  const matches = compileValue(config, place.sink);
  if (matches === null) return null;
  // Inverting is a negation too: "not a" must hold for every value exactly where a plain match must hold for one.
  const anyValue = place.anyValue !== invert;
  const missing = config.treatMissingHeaderAsEmpty === true ? matches('') !== invert : false;
  const pseudo = pseudoHeaders[name];
  if (pseudo !== undefined) return (request) => matches(pseudo(request)) !== invert;
  return (request) => {
    const headers = request.requestHeaders;
    let slot = headers.find(name, 0);
    if (slot < 0) return missing;
    for (; slot >= 0; slot = headers.find(name, slot + 1)) {
      if (matches(headers.valueAt(slot)) === anyValue) return anyValue !== invert;
    }
    return anyValue === invert;
  };
}

/** What is no header in every protocol. `host` is the authority, whichever way it came. */
const pseudoHeaders: Readonly<Record<string, (request: RbacRequest) => string>> = {
  ':method': (request) => request.method,
  ':path': (request) => request.path,
  ':authority': (request) => request.authority,
  ':scheme': (request) => request.scheme,
  host: (request) => request.authority,
};

function isPresent(request: RbacRequest, name: string): boolean {
  return pseudoHeaders[name] !== undefined || request.requestHeaders.has(name);
}

function hasPattern(config: HeaderMatcher): boolean {
  return (
    config.stringMatch !== undefined ||
    config.exactMatch !== undefined ||
    config.prefixMatch !== undefined ||
    config.suffixMatch !== undefined ||
    config.containsMatch !== undefined ||
    config.safeRegexMatch !== undefined ||
    config.rangeMatch !== undefined
  );
}

function compileValue(config: HeaderMatcher, sink: IssueSink): TextPredicate | null {
  const { exactMatch, prefixMatch, suffixMatch, containsMatch, safeRegexMatch, rangeMatch, stringMatch } = config;
  if (stringMatch !== undefined) return compileStringMatcher(stringMatch, sinkAt(sink, 'string_match'));
  if (exactMatch !== undefined) return (value) => value === exactMatch;
  if (prefixMatch !== undefined) return (value) => value.startsWith(prefixMatch);
  if (suffixMatch !== undefined) return (value) => value.endsWith(suffixMatch);
  if (containsMatch !== undefined) return (value) => value.includes(containsMatch);
  if (safeRegexMatch !== undefined)
    return compileRegexPredicate(safeRegexMatch.regex ?? '', sinkAt(sink, 'safe_regex_match'));
  const start = Number(rangeMatch?.start ?? 0);
  const end = Number(rangeMatch?.end ?? 0);
  return (value) => /^[+-]?\d{1,18}$/.test(value) && Number(value) >= start && Number(value) < end;
}
