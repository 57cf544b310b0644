// Envoy's format strings (`%REQ(:METHOD)% %RESPONSE_CODE%`), compiled once into a list of literals and getters. One engine for
// access logs as text and as JSON and for header values.

import { isUtf8 } from 'node:buffer';
import { argumentProblem } from '@weft/lib/format-operator';
import type { Issue } from '@weft/lib/issue';
import { connectionOperators } from './operator/connection.ts';
import { httpOperators } from './operator/http.ts';
import { metadataOperators } from './operator/metadata.ts';
import type { CompileOperator, Operator, OperatorValue } from './operator/operator.ts';
import type { LoggedView } from './view.ts';

export type Formatter = (view: LoggedView) => string;

/** Where findings go. */
export interface FormatPlace {
  readonly issues: Issue[];
  /** Field path of the format. */
  readonly path: string;
}

interface Part {
  readonly operator: Operator;
  /** `:Z`, the longest text taken; 0 is no limit. */
  readonly limit: number;
}

/** Envoy's own default for HTTP access logs. */
export const defaultTextFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/**
 * For header values: what is absent is left out, and no value can smuggle a line break or a character that a header cannot hold.
 * Findings are added to `issues`; with an error among them the result is not to be used.
 */
export function compileFormat(text: string, issues: Issue[], path: string): Formatter {
  const parts = parseFormat(text, { issues, path });
  const [only] = parts;
  if (parts.length === 0) return () => '';
  if (parts.length === 1 && typeof only === 'string') return () => only;
  return (view) => joinForHeader(parts, view);
}

/** For text logs: values of the peer are escaped, what is absent is `-`, or nothing with `omitEmpty`. */
export function compileTextFormat(text: string, omitEmpty: boolean, place: FormatPlace): Formatter {
  // The writer ends each line; a format that says so as well must not make a second one.
  const parts = parseFormat(text.replace(/\n$/, ''), place);
  const absent = omitEmpty ? '' : '-';
  return (view) => joinForLog(parts, view, absent);
}

/** For JSON logs: a lone operator keeps its type, absent is null, or left out with `omitEmpty`. */
export function compileJsonFormat(template: unknown, omitEmpty: boolean, place: FormatPlace): Formatter {
  const encode = compileJsonNode(template, omitEmpty, place);
  return (view) => encode(view) ?? '{}';
}

const tables = [httpOperators, connectionOperators, metadataOperators];

function findOperator(name: string): CompileOperator | null {
  for (const table of tables) {
    const compile = Object.hasOwn(table, name) ? table[name] : undefined;
    if (compile !== undefined) return compile;
  }
  return null;
}

/** Every operator there is, for the documentation. */
export function operatorNames(): string[] {
  return tables.flatMap((table) => Object.keys(table)).sort();
}

const operatorSyntax = /%([A-Z0-9_]+)(?:\(([\s\S]*?)\))?(?::([0-9]+))?%/y;

function parseFormat(text: string, place: FormatPlace): (string | Part)[] {
  const parts: (string | Part)[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const percent = text.indexOf('%', at);
    if (percent < 0) {
      literal += text.slice(at);
      break;
    }
    literal += text.slice(at, percent);
    if (text.startsWith('%%', percent)) {
      literal += '%';
      at = percent + 2;
      continue;
    }
    operatorSyntax.lastIndex = percent;
    const match = operatorSyntax.exec(text);
    if (match === null) {
      report(
        place,
        'error',
        `'${excerpt(text, percent)}' is no operator; write %NAME%, %NAME(ARGUMENT)%, or %% for one %`,
      );
      return parts;
    }
    const part = compilePart(match, place);
    if (part !== null) {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(part);
    }
    at = operatorSyntax.lastIndex;
  }
  if (literal !== '') parts.push(literal);
  return parts;
}

function compilePart(match: RegExpExecArray, place: FormatPlace): Part | null {
  const [whole, name = '', argument = '', limit = '0'] = match;
  const compile = findOperator(name);
  if (compile === null) {
    report(place, 'error', `the format operator '${whole}' is not known; see docs/access-log.md for the ones that are`);
    return null;
  }
  const problem = argumentProblem(name, argument);
  if (problem !== null) {
    report(place, 'error', `the format operator '${whole}' is not understood: ${problem}`);
    return null;
  }
  const operator = compile(argument);
  if (operator.warning !== undefined) report(place, 'warning', `the format operator '${whole}': ${operator.warning}`);
  return { operator, limit: Number(limit) };
}

function report(place: FormatPlace, level: 'error' | 'warning', message: string): void {
  place.issues.push({ code: level === 'error' ? 'WEFT0200' : 'WEFT0201', level, message, path: place.path });
}

function excerpt(text: string, at: number): string {
  return text.length - at > 24 ? `${text.slice(at, at + 24)}\u2026` : text.slice(at);
}

function textOf(value: Exclude<OperatorValue, null>): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function cut(text: string, limit: number): string {
  return limit > 0 && text.length > limit ? text.slice(0, limit) : text;
}

function joinForLog(parts: readonly (string | Part)[], view: LoggedView, absent: string): string {
  let text = '';
  for (const part of parts) text += typeof part === 'string' ? part : valueForLog(part, view, absent);
  return text;
}

function valueForLog(part: Part, view: LoggedView, absent: string): string {
  const value = part.operator.get(view);
  if (value === null) return absent;
  const text = readableOf(value, part);
  return part.operator.isFromPeer ? escapePeerText(text) : text;
}

function readableOf(value: Exclude<OperatorValue, null>, { operator, limit }: Part): string {
  const text = textOf(value);
  return cut(operator.isFromPeer ? readable(text) : text, limit);
}

const harmless = /^[ !#-[\]-~]*$/;

/** Quotes, backslashes and control characters become `\xNN`, so that no peer can forge a field or a line. */
function escapePeerText(text: string): string {
  if (harmless.test(text)) return text;
  return text.replace(
    /["\\\p{Cc}\u2028\u2029]/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

// Header values are latin1; most peers that go beyond ASCII send UTF-8. Other text (a certificate's subject) is Unicode already.
function readable(text: string): string {
  if (!/[\x80-\xff]/.test(text) || /[^\0-\xff]/.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : text;
}

function joinForHeader(parts: readonly (string | Part)[], view: LoggedView): string {
  let text = '';
  for (const part of parts) text += typeof part === 'string' ? part : valueForHeader(part, view);
  return text;
}

function valueForHeader(part: Part, view: LoggedView): string {
  const value = part.operator.get(view);
  if (value === null) return '';
  const text = cut(textOf(value), part.limit);
  if (/^[\t -~\x80-\xff]*$/.test(text)) return text;
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[\0-\x08\x0a-\x1f\x7f]/g, '?');
}

/** JSON text, or null for "leave it out". */
type JsonEncoder = (view: LoggedView) => string | null;

function compileJsonNode(node: unknown, omitEmpty: boolean, place: FormatPlace): JsonEncoder {
  if (typeof node === 'string') return compileJsonString(node, omitEmpty, place);
  if (Array.isArray(node)) return compileJsonList(node, omitEmpty, place);
  if (typeof node === 'object' && node !== null) return compileJsonObject(node, omitEmpty, place);
  const constant = JSON.stringify(node ?? null);
  return () => constant;
}

function compileJsonObject(node: object, omitEmpty: boolean, place: FormatPlace): JsonEncoder {
  const members = Object.entries(node).map(([key, child]) => ({
    prefix: `${JSON.stringify(key)}:`,
    encode: compileJsonNode(child, omitEmpty, { issues: place.issues, path: `${place.path}.${key}` }),
  }));
  return (view) => {
    let text = '';
    for (const { prefix, encode } of members) {
      const value = encode(view);
      if (value !== null) text += `${text === '' ? '' : ','}${prefix}${value}`;
    }
    return `{${text}}`;
  };
}

function compileJsonList(node: readonly unknown[], omitEmpty: boolean, place: FormatPlace): JsonEncoder {
  const items = node.map((child, i) =>
    compileJsonNode(child, omitEmpty, { issues: place.issues, path: `${place.path}[${i}]` }),
  );
  return (view) => `[${items.map((encode) => encode(view) ?? 'null').join(',')}]`;
}

function compileJsonString(text: string, omitEmpty: boolean, place: FormatPlace): JsonEncoder {
  const parts = parseFormat(text, place);
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && typeof only !== 'string') {
    const absent = omitEmpty ? null : 'null';
    return (view) => valueForJson(only, view) ?? absent;
  }
  const absent = omitEmpty ? '' : '-';
  return (view) => JSON.stringify(joinForJson(parts, view, absent));
}

function valueForJson(part: Part, view: LoggedView): string | null {
  const value = part.operator.get(view);
  if (value === null) return null;
  if (typeof value !== 'string') return JSON.stringify(value);
  return JSON.stringify(readableOf(value, part));
}

function joinForJson(parts: readonly (string | Part)[], view: LoggedView, absent: string): string {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const value = part.operator.get(view);
    text += value === null ? absent : readableOf(value, part);
  }
  return text;
}
