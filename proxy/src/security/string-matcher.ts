// Envoy's `StringMatcher`, compiled once to a function of one string.

import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { compileRegex } from '@weft/lib/regex/regex';
import { type IssueSink, reportError, sinkAt } from './data-source.ts';

type StringMatcherConfig = envoy.type.matcher.v3.StringMatcher;

/** Whether a text matches. */
export type TextPredicate = (text: string) => boolean;

/** The predicate, or null after reporting why there is none. Regular expressions match the whole text, as Envoy's. */
export function compileStringMatcher(config: StringMatcherConfig, sink: IssueSink): TextPredicate | null {
  if (config.safeRegex !== undefined)
    return compileRegexPredicate(config.safeRegex.regex ?? '', sinkAt(sink, 'safe_regex'));
  const fold = config.ignoreCase === true;
  const { exact, prefix, suffix, contains } = config;
  if (exact !== undefined)
    return fold ? foldCase((wanted) => (text) => text === wanted, exact) : (text) => text === exact;
  if (prefix !== undefined) return foldIf(fold, (wanted) => (text) => text.startsWith(wanted), prefix);
  if (suffix !== undefined) return foldIf(fold, (wanted) => (text) => text.endsWith(wanted), suffix);
  if (contains !== undefined) return foldIf(fold, (wanted) => (text) => text.includes(wanted), contains);
  const problem = 'the string matcher has no pattern; give exact, prefix, suffix, contains or safe_regex';
  return reportError(sink, 'WEFT0720', problem);
}

/** Whole-text match of an RE2 expression, or null after reporting that it is none. */
export function compileRegexPredicate(pattern: string, sink: IssueSink): TextPredicate | null {
  try {
    const regex = compileRegex(pattern);
    return (text) => regex.test(text);
  } catch (error) {
    const problem = `"${pattern}" is no regular expression in RE2 syntax: ${messageOf(error)}`;
    return reportError(sinkAt(sink, 'regex'), 'WEFT0721', problem);
  }
}

type PredicateMaker = (wanted: string) => TextPredicate;

function foldIf(fold: boolean, make: PredicateMaker, wanted: string): TextPredicate {
  return fold ? foldCase(make, wanted) : make(wanted);
}

function foldCase(make: PredicateMaker, wanted: string): TextPredicate {
  const predicate = make(lowerAscii(wanted));
  return (text) => predicate(lowerAscii(text));
}

// ASCII only, as Envoy: full case folding maps the Kelvin sign to `k`, which must not make two names equal.
function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}
