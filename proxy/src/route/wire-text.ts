// Configuration is Unicode, header values and paths are bytes as latin1: patterns are brought to the wire's form once, texts only when
// they hold more than ASCII.

import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import type { Regex } from '@weft/lib/regex/regex';
import { compileRegex, compileSubstitution, type Substitution } from '@weft/lib/regex/regex';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import { compileStringMatcher, type TextPredicate } from '../security/string-matcher.ts';

type StringMatcher = envoy.type.matcher.v3.StringMatcher;
type RegexMatchAndSubstitute = envoy.type.matcher.v3.RegexMatchAndSubstitute;

/** UTF-8 bytes as latin1. */
export function toWire(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** Back to Unicode, for regular expressions. */
export function fromWire(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** A string matcher over wire text, or null after reporting. */
export function compileWireMatcher(config: StringMatcher, sink: IssueSink): TextPredicate | null {
  if (config.custom !== undefined) {
    return reportError(
      sinkAt(sink, 'custom'),
      'WEFT0310',
      'custom string matchers are not carried out; use exact, prefix, suffix, contains or safe_regex',
    );
  }
  if (config.safeRegex !== undefined) {
    const regex = compileWireRegex(config.safeRegex.regex, sinkAt(sink, 'safe_regex'));
    return regex === null ? null : (text) => regex.test(fromWire(text));
  }
  const wire: { -readonly [K in keyof StringMatcher]: StringMatcher[K] } = { ...config };
  for (const key of ['exact', 'prefix', 'suffix', 'contains'] as const) {
    const text = config[key];
    if (text !== undefined) wire[key] = toWire(text);
    // As Envoy: an empty part would match everything.
    if (text === '' && key !== 'exact')
      return reportError(sinkAt(sink, key), 'WEFT0310', `an empty ${key} matches everything; use present_match`);
  }
  return compileStringMatcher(wire, sink);
}

/** An expression, or null after reporting. */
export function compileWireRegex(pattern: string | undefined, sink: IssueSink): Regex | null {
  const below = sinkAt(sink, 'regex');
  if (pattern === undefined || pattern === '')
    return reportError(below, 'WEFT0300', 'the regular expression is empty; give one');
  try {
    return compileRegex(pattern);
  } catch (error) {
    const problem = `"${pattern.slice(0, 100)}" is refused: ${messageOf(error)}; write RE2 syntax, without look-around and back-references`;
    return reportError(below, 'WEFT0300', problem);
  }
}

/** A replacement over wire text. */
export class TextRewrite {
  private readonly regex: Regex;
  private readonly substitution: Substitution;

  constructor(regex: Regex, substitution: Substitution) {
    this.regex = regex;
    this.substitution = substitution;
  }

  apply(text: string): string {
    return toWire(this.regex.replaceAll(fromWire(text), this.substitution));
  }
}

/** A `regex_rewrite`, or null after reporting. */
export function compileRewrite(config: RegexMatchAndSubstitute, sink: IssueSink): TextRewrite | null {
  const regex = compileWireRegex(config.pattern?.regex, sinkAt(sink, 'pattern'));
  const below = sinkAt(sink, 'substitution');
  try {
    const substitution = compileSubstitution(config.substitution ?? '');
    if (regex === null) return null;
    if (substitution.highestGroup <= regex.groupCount) return new TextRewrite(regex, substitution);
    const problem = `the substitution uses group ${substitution.highestGroup}, the pattern has ${regex.groupCount}; add the group or use a lower number`;
    return reportError(below, 'WEFT0302', problem);
  } catch (error) {
    return reportError(below, 'WEFT0302', messageOf(error));
  }
}
