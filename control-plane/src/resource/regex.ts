// Checks regular expressions of resources by the engine that later runs them.

import { messageOf } from '@weft/lib/error';
import { compileRegex } from '@weft/lib/regex';

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
