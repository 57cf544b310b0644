// Findings for people: one line each, errors first in red where there is a terminal, then a count.
import { formatIssue, type Issue } from '@weft/lib/issue';
import type { Invocation } from '../invocation.ts';

const levels = ['error', 'warning', 'info'] as const;
const colors = { error: '31', warning: '33', info: '36' } as const;

/** Prints every finding beside the output. */
export function printIssues(invocation: Invocation, issues: readonly Issue[]): void {
  const { err, env } = invocation.outside;
  const hasColor = err.isTTY === true && !env.NO_COLOR;
  for (const level of levels) {
    for (const issue of issues) {
      if (issue.level !== level) continue;
      const line = formatIssue(issue);
      invocation.note(hasColor ? line.replace(`${level} `, `\x1b[${colors[level]}m${level}\x1b[0m `) : line);
    }
  }
}

/** `2 errors, 1 warning`. */
export function countIssues(issues: readonly Issue[]): string {
  const parts = levels.flatMap((level) => {
    const count = issues.filter((issue) => issue.level === level).length;
    if (count === 0) return [];
    return level === 'info' ? `${count} info` : `${count} ${level}${count === 1 ? '' : 's'}`;
  });
  return parts.join(', ') || 'no findings';
}
