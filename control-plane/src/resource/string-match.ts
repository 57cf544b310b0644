// `exact`, `prefix` or `regex`: whether it is well formed, and whether one covers another.

import type { StringMatch } from '@weft/api/resource/http-route';
import { joinPath } from './field-path.ts';
import type { Findings } from './findings.ts';
import { meaningCodes } from './issue-code.ts';
import { regexProblem } from './regex.ts';

/** One form at most, and a regular expression that compiles. */
export function validateStringMatch(findings: Findings, path: string, match: StringMatch): void {
  const set = Object.keys(match).filter((key) => match[key as keyof StringMatch] !== undefined);
  if (set.length > 1) {
    findings.add(
      meaningCodes.conflictingFields,
      path,
      `Only one of exact, prefix and regex can be set; here are ${set.join(' and ')}.`,
    );
  }
  if (match.regex === undefined) return;
  const problem = regexProblem(match.regex, findings.patterns);
  if (problem === null) return;
  findings.add(
    meaningCodes.invalidRegex,
    joinPath(path, 'regex'),
    `The regular expression "${match.regex.slice(0, 100)}" (RE2) is refused: ${problem}.`,
  );
}

/** Whether it takes any value at all. */
export function matchesAnything(match: StringMatch | undefined): boolean {
  if (match === undefined) return true;
  if (match.exact !== undefined) return false;
  if (match.prefix !== undefined) return match.prefix === '';
  if (match.regex !== undefined) return match.regex === '.*' || match.regex === '^.*$';
  return true;
}

/** Whether every value that `narrow` takes is taken by `wide` too. False when that is not certain. */
export function coversMatch(
  wide: StringMatch | undefined,
  narrow: StringMatch | undefined,
  ignoreCase: boolean,
): boolean {
  if (matchesAnything(wide)) return true;
  if (wide === undefined || narrow === undefined) return false;
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  if (wide.exact !== undefined) return narrow.exact !== undefined && fold(wide.exact) === fold(narrow.exact);
  if (wide.prefix !== undefined) {
    const fixed = narrow.exact ?? narrow.prefix;
    return fixed !== undefined && fold(fixed).startsWith(fold(wide.prefix));
  }
  return wide.regex !== undefined && wide.regex === narrow.regex;
}
