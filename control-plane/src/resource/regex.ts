// Checks regular expressions of resources by the engine that later runs them.

import { messageOf } from '@weft/lib/error';
import { compileRegex, compileSubstitution } from '@weft/lib/regex';

/** Why it is no regular expression in RE2 syntax, or null when it is one. */
export function regexProblem(pattern: string): string | null {
  if (pattern === '') return 'it is empty and matches nothing but the empty text';
  try {
    compileRegex(pattern);
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** Why the text cannot replace what a pattern that compiles takes, or null when it can. */
export function substitutionProblem(pattern: string, text: string): string | null {
  try {
    const { highestGroup } = compileSubstitution(text);
    const { groupCount } = compileRegex(pattern);
    return highestGroup <= groupCount ? null : `it uses group ${highestGroup}, and the pattern has ${groupCount}`;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
