// Fields that Istio has and Weft does not carry out yet: one table per kind, shrinking as Weft grows.

import { joinPath } from './field-path.ts';
import type { Findings } from './findings.ts';
import { formCodes } from './issue-code.ts';

/** One line of a kind's table. */
export interface NotCarriedOut {
  /** Path pattern: `[]` stands for any index, `{}` for any key. */
  readonly path: string;
  /** `error` where ignoring the field would change what happens to traffic; `deprecated` where it works, but a newer one should be used. */
  readonly level: 'error' | 'warning' | 'deprecated';
  /** What the field is for and what to do instead, as a sentence. */
  readonly why: string;
  /** Whether this value is one that is not carried out; every value when left out. */
  readonly when?: (value: unknown, resource: unknown) => boolean;
}

const levels = {
  error: { code: formCodes.notCarriedOut, what: 'Weft does not carry this out yet' },
  warning: { code: formCodes.noEffect, what: 'This has no effect' },
  deprecated: { code: formCodes.deprecatedField, what: 'This is deprecated' },
} as const;

/** Adds a finding for each field that is set and listed. */
export function addNotCarriedOut(findings: Findings, table: readonly NotCarriedOut[], resource: unknown): void {
  for (const entry of table) {
    visit(resource, patternParts(entry.path), '', (value, path) => {
      if (entry.when !== undefined && !entry.when(value, resource)) return;
      const { code, what } = levels[entry.level];
      findings.add(code, path, `${what}: ${entry.why}`);
    });
  }
}

function patternParts(pattern: string): readonly string[] {
  return pattern.replaceAll('[]', '.[]').replaceAll('{}', '.{}').split('.');
}

function visit(
  value: unknown,
  parts: readonly string[],
  path: string,
  found: (value: unknown, path: string) => void,
): void {
  const [part, ...rest] = parts;
  if (part === undefined) {
    found(value, path);
    return;
  }
  if (part === '[]') {
    if (Array.isArray(value))
      for (const [index, item] of value.entries()) visit(item, rest, joinPath(path, index), found);
    return;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const keys = part === '{}' ? Object.keys(value) : Object.hasOwn(value, part) ? [part] : [];
  for (const key of keys) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) visit(member, rest, joinPath(path, key), found);
  }
}
