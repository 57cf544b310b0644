// Turns what the schema library finds into issues that a person can act on: full path, reason, suggestion.

import { z } from 'zod';
import { joinPath, pathOf } from './field-path.ts';
import type { Findings } from './findings.ts';
import { formCodes } from './issue-code.ts';
import { didYouMean } from './near-name.ts';

type SchemaIssue = z.core.$ZodIssue;

/** Adds one finding for each thing that is wrong with the value's form. */
export function addSchemaFindings(
  findings: Findings,
  schema: z.ZodType,
  value: unknown,
  issues: readonly SchemaIssue[],
): void {
  for (const issue of issues) {
    if (findings.isFull) return;
    addOne(findings, schema, value, issue);
  }
}

/** A field without a value is as good as absent, but one that nobody knows is a slip all the same. */
export function addUnknownNulls(findings: Findings, schema: z.core.$ZodType, value: unknown, path = ''): void {
  if (typeof value !== 'object' || value === null || findings.isFull) return;
  const at = unwrap(schema);
  if (at instanceof z.ZodArray && Array.isArray(value)) {
    for (const [index, item] of value.entries()) addUnknownNulls(findings, at.element, item, joinPath(path, index));
  }
  if (Array.isArray(value)) return;
  const isStrict = at instanceof z.ZodObject && at.def.catchall instanceof z.ZodNever;
  for (const [key, member] of Object.entries(value)) {
    const below = memberSchema(at, key);
    if (below !== null) addUnknownNulls(findings, below, member, joinPath(path, key));
    else if (isStrict && member === null) addUnknown(findings, joinPath(path, key), key, Object.keys(at.shape));
  }
}

function memberSchema(at: z.core.$ZodType, key: string): z.core.$ZodType | null {
  if (at instanceof z.ZodRecord) return at.valueType;
  return at instanceof z.ZodObject && Object.hasOwn(at.shape, key) ? (at.shape[key] ?? null) : null;
}

function addOne(findings: Findings, schema: z.ZodType, value: unknown, issue: SchemaIssue): void {
  const path = pathOf(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = fieldNames(schema, issue.path);
      for (const key of issue.keys) {
        if (findings.isFull) return;
        addUnknown(findings, joinPath(path, key), key, known);
      }
      return;
    }
    case 'invalid_type':
      addWrongType(findings, path, wantedType(schema, issue), valueAt(value, issue.path));
      return;
    case 'invalid_value':
      findings.add(formCodes.invalidValue, path, enumMessage(issue.values, valueAt(value, issue.path)));
      return;
    case 'invalid_key':
      findings.add(
        formCodes.invalidValue,
        path,
        `The key ${quote(issue.path.at(-1))} ${reason(issue.issues[0]?.message)}.`,
      );
      return;
    case 'invalid_union':
      addUnion(findings, schema, value, issue);
      return;
    default:
      findings.add(formCodes.invalidValue, path, `The value ${quote(valueAt(value, issue.path))} ${limitOf(issue)}.`);
  }
}

function addUnknown(findings: Findings, path: string, key: string, known: readonly string[]): void {
  const hint = didYouMean(key, known) || (known.length === 0 ? '' : ` Known here: ${listOf(known, 12)}.`);
  findings.add(formCodes.unknownField, path, `There is no field ${key} here.${hint}`);
}

function wantedType(schema: z.ZodType, issue: Extract<SchemaIssue, { code: 'invalid_type' }>): string {
  const field = schemaAt(schema, issue.path);
  return field instanceof z.ZodType && field.meta()?.format === 'duration' ? 'duration' : issue.expected;
}

function addWrongType(findings: Findings, path: string, expected: string, value: unknown): void {
  if (value === undefined) {
    findings.add(formCodes.missingField, path, `This field is missing; it needs ${typeNames[expected] ?? expected}.`);
    return;
  }
  const message = `This has to be ${typeNames[expected] ?? expected}, not ${describe(value)}.${remedy(expected, value)}`;
  findings.add(formCodes.wrongType, path, message);
}

function remedy(expected: string, value: unknown): string {
  if (expected === 'duration') {
    const isAmount = typeof value === 'number' && value >= 0 && /^[0-9.]+$/.test(String(value));
    return isAmount ? ` For seconds write ${value}s.` : ' Write a number and a unit, such as 1.5s, 100ms or 1h30m.';
  }
  return expected === 'string' && typeof value !== 'object' ? ` Put it in quotes: "${String(value)}".` : '';
}

function addUnion(
  findings: Findings,
  schema: z.ZodType,
  value: unknown,
  issue: Extract<SchemaIssue, { code: 'invalid_union' }>,
): void {
  // The branch that got furthest is what the writer meant: one whose complaint is not about the type.
  const branch = issue.errors.find((issues) => issues.every((each) => each.code !== 'invalid_type'));
  if (branch !== undefined) {
    const absolute = branch.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
    addSchemaFindings(findings, schema, value, absolute);
    return;
  }
  const wanted = issue.errors.flatMap((issues) =>
    issues.map((each) => ('expected' in each ? String(each.expected) : '')),
  );
  const names = [...new Set(wanted)].filter((each) => each !== '').map((each) => typeNames[each] ?? each);
  const message = `This has to be ${names.join(' or ')}, not ${describe(valueAt(value, issue.path))}.`;
  findings.add(formCodes.wrongType, pathOf(issue.path), message);
}

const typeNames: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  duration: 'a duration',
};

function describe(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return `${typeof value === 'string' ? 'the text' : `the ${typeof value}`} ${quote(value)}`;
}

function enumMessage(values: readonly unknown[], value: unknown): string {
  const names = values.map(String);
  const hint = typeof value === 'string' ? didYouMean(value, names) : '';
  if (names.length === 1) return `This has to be ${names[0]}, not ${quote(value)}.`;
  return `This has to be one of ${listOf(names, 20)}; not ${quote(value)}.${hint}`;
}

function limitOf(issue: SchemaIssue): string {
  switch (issue.code) {
    case 'too_small':
      return issue.origin === 'array'
        ? `needs at least ${issue.minimum} ${issue.minimum === 1 ? 'entry' : 'entries'}`
        : issue.origin === 'string'
          ? `needs at least ${issue.minimum} characters`
          : `is too small; the least is ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array'
        ? `has too many entries; at most ${issue.maximum}`
        : issue.origin === 'string'
          ? `is too long; at most ${issue.maximum} characters`
          : `is too large; the most is ${issue.maximum}`;
    default:
      return reason(issue.message);
  }
}

function reason(message: string | undefined): string {
  return message === undefined || !message.startsWith('is ') ? 'is invalid' : message;
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function listOf(names: readonly string[], most: number): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown}, …` : shown;
}

/** The value at a path, undefined when there is none. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Object.hasOwn(at, part) ? (at as Record<PropertyKey, unknown>)[part] : undefined;
  }
  return at;
}

function fieldNames(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const at = schemaAt(schema, path);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.core.$ZodType | null {
  let at: z.core.$ZodType = unwrap(schema);
  for (const part of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[String(part)] ?? z.unknown());
    else if (at instanceof z.ZodArray) at = unwrap(at.element);
    else if (at instanceof z.ZodRecord) at = unwrap(at.valueType);
    else return null;
  }
  return at;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap();
  return at;
}
