// Collects the issues of one resource, giving each one its code, level, origin and line.

import type { Issue, Origin } from '@weft/lib/issue';
import type { Positions } from '../store/world.ts';
import { lineOf } from './field-path.ts';
import type { IssueCode } from './issue-code.ts';

/** The issues of one resource. All are collected; nothing stops at the first. */
export class Findings {
  readonly issues: Issue[] = [];
  private readonly origin: Origin | null;
  private readonly positions: Positions | null;

  constructor(origin: Origin | null, positions: Positions | null) {
    this.origin = origin;
    this.positions = positions;
  }

  /** Adds one; `path` is the field it is about, empty for the resource as a whole. */
  add(code: IssueCode, path: string, message: string): void {
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
