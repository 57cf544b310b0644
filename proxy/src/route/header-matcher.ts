// Envoy's `HeaderMatcher`. The values of a header that occurs more than once are not joined: a condition holds when some value meets it,
// an inverted one when none does, as in Envoy 1.40. So each is exactly the opposite of the other, and a value cannot hide behind another.
// `cookie` is the exception, as RFC 9113 §8.2.3 splits it without changing its meaning: its parts are joined by `; `.

import type { envoy } from '@weft/api/xds/types';
import type { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import type { TextPredicate } from '../security/string-matcher.ts';
import type { RequestHead } from './routed-request.ts';
import { compileWireMatcher, toWire } from './wire-text.ts';

type HeaderMatcherConfig = envoy.config.route.v3.HeaderMatcher;

/** A source of header values and, for requests, of `:method` and its like. */
type PseudoName = ':method' | ':path' | ':authority' | ':scheme';

export class HeaderMatcher {
  readonly name: string;
  private readonly predicate: TextPredicate | null;
  private readonly inverted: boolean;
  private readonly missingIsEmpty: boolean;
  /** For a matcher without predicate: whether the header shall be there. */
  private readonly wantsPresence: boolean;

  constructor(name: string, predicate: TextPredicate | null, config: HeaderMatcherConfig) {
    this.name = name;
    this.predicate = predicate;
    this.inverted = config.invertMatch === true;
    this.missingIsEmpty = config.treatMissingHeaderAsEmpty === true;
    this.wantsPresence = config.presentMatch ?? true;
  }

  /** Over a request, whose line has names too. */
  matchesRequest(request: RequestHead): boolean {
    if (this.name.charCodeAt(0) === 0x3a) return this.matchesValue(pseudoValue(this.name as PseudoName, request));
    // The authority is the host, whichever field it came by.
    if (this.name === 'host') return this.matchesValue(request.authority);
    return this.matches(request.headers);
  }

  matches(headers: Headers): boolean {
    const { name, predicate, inverted } = this;
    const slot = headers.find(name, 0);
    if (slot < 0) return this.matchesMissing();
    if (predicate === null) return this.wantsPresence !== inverted;
    const second = headers.find(name, slot + 1);
    if (second < 0) return predicate(headers.valueAt(slot)) !== inverted;
    if (name === 'cookie') return predicate(headers.getAll(name).join('; ')) !== inverted;
    for (let at = slot; at >= 0; at = headers.find(name, at + 1)) {
      if (predicate(headers.valueAt(at))) return !inverted;
    }
    return inverted;
  }

  private matchesMissing(): boolean {
    if (this.predicate === null) return (this.wantsPresence === this.missingIsEmpty) !== this.inverted;
    return this.missingIsEmpty && this.predicate('') !== this.inverted;
  }

  private matchesValue(value: string): boolean {
    if (this.predicate === null) return this.wantsPresence !== this.inverted;
    return this.predicate(value) !== this.inverted;
  }
}

function pseudoValue(name: PseudoName, request: RequestHead): string {
  switch (name) {
    case ':method':
      return request.method;
    case ':path':
      return request.path;
    case ':authority':
      return request.authority;
    default:
      return request.scheme;
  }
}

const pseudoNames: ReadonlySet<string> = new Set([':method', ':path', ':authority', ':scheme']);

/** A matcher, or null after reporting why there is none. */
export function compileRequestHeaderMatcher(config: HeaderMatcherConfig, sink: IssueSink): HeaderMatcher | null {
  const name = (config.name ?? '').toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && !pseudoNames.has(name)) {
    return reportError(
      sinkAt(sink, 'name'),
      'WEFT0311',
      `"${config.name ?? ''}" is no header name; give one, or :method, :path, :authority or :scheme`,
    );
  }
  const before = sink.issues.length;
  const predicate = compileValue(config, sink);
  return sink.issues.length > before && predicate === null ? null : new HeaderMatcher(name, predicate, config);
}

/** The predicate over headers alone, for access logs and responses. */
export function compileHeaderMatcher(
  config: HeaderMatcherConfig,
  issues: Issue[],
  path: string,
): (headers: Headers) => boolean {
  const matcher = compileRequestHeaderMatcher(config, { issues, path });
  return matcher === null ? () => false : (headers) => matcher.matches(headers);
}

// Null also means: presence alone decides.
function compileValue(config: HeaderMatcherConfig, sink: IssueSink): TextPredicate | null {
  if (config.rangeMatch !== undefined) return compileRange(config.rangeMatch);
  if (config.stringMatch !== undefined) return compileWireMatcher(config.stringMatch, sinkAt(sink, 'string_match'));
  if (config.safeRegexMatch !== undefined)
    return compileWireMatcher({ safeRegex: config.safeRegexMatch }, sinkAt(sink, 'safe_regex_match'));
  const { exactMatch, prefixMatch, suffixMatch, containsMatch } = config;
  // Older configurations say presence by an empty exact match.
  if (exactMatch !== undefined) return equals(toWire(exactMatch));
  if (prefixMatch !== undefined) return compileWireMatcher({ prefix: prefixMatch }, sinkAt(sink, 'prefix_match'));
  if (suffixMatch !== undefined) return compileWireMatcher({ suffix: suffixMatch }, sinkAt(sink, 'suffix_match'));
  if (containsMatch !== undefined)
    return compileWireMatcher({ contains: containsMatch }, sinkAt(sink, 'contains_match'));
  return null;
}

function equals(wanted: string): TextPredicate {
  return (text) => text === wanted;
}

// The whole value must be one integer, from start up to but without end.
function compileRange(range: envoy.type.v3.Int64Range): TextPredicate {
  const start = BigInt(range.start ?? 0);
  const end = BigInt(range.end ?? 0);
  return (text) => {
    if (!/^[+-]?[0-9]{1,19}$/.test(text)) return false;
    const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
    return value >= start && value < end;
  };
}
