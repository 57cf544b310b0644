// The path part of a route match, and which part of the path a prefix rewrite replaces. One class, so that the loop over routes stays
// monomorphic.

import type { envoy } from '@weft/api/xds/types';
import type { Regex } from '@weft/lib/regex/regex';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import { compileWireRegex, fromWire, toWire } from './wire-text.ts';

type RouteMatch = envoy.config.route.v3.RouteMatch;

const ANY = 0;
const PREFIX = 1;
const EXACT = 2;
const SEPARATED_PREFIX = 3;
const REGEX = 4;
const CONNECT = 5;
type Kind = typeof ANY | typeof PREFIX | typeof EXACT | typeof SEPARATED_PREFIX | typeof REGEX | typeof CONNECT;

export class PathMatcher {
  private readonly kind: Kind;
  private readonly text: string;
  private readonly isCaseSensitive: boolean;
  private readonly regex: Regex | null;

  constructor(kind: Kind, text: string, isCaseSensitive: boolean, regex: Regex | null) {
    this.kind = kind;
    this.text = isCaseSensitive ? text : text.toLowerCase();
    this.isCaseSensitive = isCaseSensitive;
    this.regex = regex;
  }

  get isConnect(): boolean {
    return this.kind === CONNECT;
  }

  /** `end` is where the path ends and the query begins. */
  matches(method: string, path: string, end: number): boolean {
    const { kind, text } = this;
    // CONNECT has no path: only its own matcher takes it.
    if (kind === CONNECT) return method === 'CONNECT';
    if (kind === ANY) return path.charCodeAt(0) === 0x2f;
    if (text.length > end && kind !== REGEX) return false;
    const subject = this.isCaseSensitive ? path : path.toLowerCase();
    switch (kind) {
      case PREFIX:
        return subject.startsWith(text);
      case EXACT:
        return end === text.length && subject.startsWith(text);
      case SEPARATED_PREFIX:
        return subject.startsWith(text) && (end === text.length || subject.charCodeAt(text.length) === 0x2f);
      default:
        return this.matchesRegex(path, end);
    }
  }

  private matchesRegex(path: string, end: number): boolean {
    const { regex } = this;
    return regex?.test(fromWire(end === path.length ? path : path.slice(0, end))) === true;
  }

  /** How much of the path a `prefix_rewrite` replaces: the prefix, or all of it. */
  matchedLength(end: number): number {
    const isPrefix = this.kind === PREFIX || this.kind === SEPARATED_PREFIX || this.kind === ANY;
    return isPrefix ? Math.min(this.text.length, end) : end;
  }
}

/** The path part, or null after reporting. */
export function compilePathMatcher(match: RouteMatch, sink: IssueSink): PathMatcher | null {
  const isCaseSensitive = match.caseSensitive ?? true;
  if (match.prefix !== undefined) {
    if (match.prefix === '/' || match.prefix === '') return new PathMatcher(ANY, match.prefix, true, null);
    return new PathMatcher(PREFIX, toWire(match.prefix), isCaseSensitive, null);
  }
  if (match.path !== undefined) return new PathMatcher(EXACT, toWire(match.path), isCaseSensitive, null);
  if (match.safeRegex !== undefined) {
    const regex = compileWireRegex(match.safeRegex.regex, sinkAt(sink, 'safe_regex'));
    return regex === null ? null : new PathMatcher(REGEX, '', true, regex);
  }
  if (match.pathSeparatedPrefix !== undefined)
    return compileSeparated(match.pathSeparatedPrefix, isCaseSensitive, sink);
  if (match.connectMatcher !== undefined) return new PathMatcher(CONNECT, '', true, null);
  if (match.pathMatchPolicy !== undefined) {
    return reportError(
      sinkAt(sink, 'path_match_policy'),
      'WEFT0313',
      'path match policies are not carried out; use safe_regex or a prefix',
    );
  }
  return reportError(
    sink,
    'WEFT0313',
    'the match names no path; give prefix, path, safe_regex, path_separated_prefix or connect_matcher',
  );
}

function compileSeparated(prefix: string, isCaseSensitive: boolean, sink: IssueSink): PathMatcher | null {
  if (/^\/[^?#]*[^?#/]$/.test(prefix)) return new PathMatcher(SEPARATED_PREFIX, toWire(prefix), isCaseSensitive, null);
  const problem = `"${prefix}" must begin with a slash, must not end with one, and has no ? or #; use prefix for "/"`;
  return reportError(sinkAt(sink, 'path_separated_prefix'), 'WEFT0313', problem);
}
