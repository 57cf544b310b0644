// Checks regular expressions of resources by the engine that later runs them.

import { messageOf } from '@weft/lib/error';
import { compileRegex, compileSubstitution, maxEstimate } from '@weft/lib/regex/regex';
import { estimateProgramSize } from '@weft/lib/regex/regex-size';

/** A class of Unicode takes as long to compile as so many instructions. */
const classSize = 40;

/** What the regular expressions of one file or write may come to in all: about a second of compiling. */
export class PatternBudget {
  private left = 200_000;

  /** False when nothing is left for a pattern. */
  take(pattern: string): boolean {
    const estimate = estimateProgramSize(pattern);
    // Refused anyway, without being compiled.
    if (estimate > maxEstimate) return true;
    this.left -= estimate + classSize * (pattern.match(/\\p|\[:/gi)?.length ?? 0);
    return this.left >= 0;
  }
}

/** Why it is refused as a regular expression in RE2 syntax, or null when it is one. */
export function regexProblem(pattern: string, budget: PatternBudget): string | null {
  if (pattern === '') return 'it is empty and matches nothing but the empty text';
  if (!budget.take(pattern))
    return 'with those before it in the same file it is too much to compile; simplify or split';
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
