// Collects the issues of one resource, giving each one its code, level, origin and line.

import type { Issue, Origin } from '@weft/lib/issue';
import type { Positions } from '../store/world.ts';
import { lineOf } from './field-path.ts';
import { formCodes, type IssueCode } from './issue-code.ts';
import { PatternBudget } from './regex.ts';

/** More help nobody, and a large resource can have a hundred thousand. */
const maxFindings = 200;

/** The issues of one resource. All are collected up to a limit that no person reads to; nothing stops at the first. */
export class Findings {
  readonly issues: Issue[] = [];
  /** What its regular expressions may come to, shared with the rest of the file. */
  readonly patterns: PatternBudget;
  private hasHiddenError = false;
  private readonly origin: Origin | null;
  private readonly positions: Positions | null;

  constructor(origin: Origin | null, positions: Positions | null, patterns = new PatternBudget()) {
    this.patterns = patterns;
    this.origin = origin;
    this.positions = positions;
  }

  /** Whether what is added now changes nothing any more: there are enough, and the resource is refused. */
  get isFull(): boolean {
    return this.hasHiddenError;
  }

  /** Adds one; `path` is the field it is about, empty for the resource as a whole. */
  add(code: IssueCode, path: string, message: string): void {
    if (this.hasHiddenError) return;
    if (this.issues.length < maxFindings) {
      this.push(code, path, message);
      return;
    }
    this.hasHiddenError = code.level === 'error';
    this.issues.length = maxFindings;
    const level = this.hasHiddenError ? 'error' : 'warning';
    const rest = `There are more findings than these ${maxFindings}; the rest is not listed.`;
    this.push({ ...formCodes.tooManyFindings, level }, '', rest);
  }

  private push(code: IssueCode, path: string, message: string): void {
    this.issues.push({
      code: code.code,
      level: code.level,
      message,
      ...(path === '' ? {} : { path }),
      ...this.originAt(path),
    });
  }

  private originAt(path: string): { origin?: Origin } {
    if (this.origin === null) return {};
    if (this.positions === null) return { origin: this.origin };
    const line = lineOf(this.positions.fields, path) ?? this.positions.line;
    return { origin: { ...this.origin, file: this.positions.file, line } };
  }
}
