// Envoy's `QueryParameterMatcher`. As in Envoy the parameters are compared as they stand, without decoding, and the first of a name counts.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import type { TextPredicate } from '../security/string-matcher.ts';
import { compileWireMatcher, toWire } from './wire-text.ts';

type QueryParameterMatcher = envoy.config.route.v3.QueryParameterMatcher;

export class QueryMatcher {
  private readonly name: string;
  private readonly predicate: TextPredicate | null;
  private readonly wantsPresence: boolean;

  constructor(name: string, predicate: TextPredicate | null, wantsPresence: boolean) {
    this.name = name;
    this.predicate = predicate;
    this.wantsPresence = wantsPresence;
  }

  matches(path: string): boolean {
    const value = queryValue(path, this.name);
    if (this.predicate === null) return (value !== null) === this.wantsPresence;
    return value !== null && this.predicate(value);
  }
}

/** The first value of a query parameter; empty when it has none, null when it is absent. */
export function queryValue(path: string, name: string): string | null {
  const question = path.indexOf('?');
  if (question < 0) return null;
  const fragment = path.indexOf('#', question);
  const end = fragment < 0 ? path.length : fragment;
  for (let at = question + 1; at < end; ) {
    const ampersand = path.indexOf('&', at);
    const stop = ampersand < 0 || ampersand > end ? end : ampersand;
    if (path.startsWith(name, at)) {
      const after = at + name.length;
      if (after === stop) return '';
      if (after < stop && path.charCodeAt(after) === 0x3d) return path.slice(after + 1, stop);
    }
    at = stop + 1;
  }
  return null;
}

/** A matcher, or null after reporting. */
export function compileQueryMatcher(config: QueryParameterMatcher, sink: IssueSink): QueryMatcher | null {
  const { name = '' } = config;
  if (name === '') return reportError(sinkAt(sink, 'name'), 'WEFT0312', 'the query parameter has no name; give one');
  if (config.stringMatch === undefined) return new QueryMatcher(toWire(name), null, config.presentMatch ?? true);
  const predicate = compileWireMatcher(config.stringMatch, sinkAt(sink, 'string_match'));
  return predicate === null ? null : new QueryMatcher(toWire(name), predicate, true);
}
