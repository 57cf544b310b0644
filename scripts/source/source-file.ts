// One source file taken apart as far as the architecture test and the shape table need: imports, functions, exports.

import { readFileSync } from 'node:fs';
import { blank } from './blank.ts';

export interface ImportStatement {
  readonly specifier: string;
  /** Nothing of it is left when the program runs. */
  readonly isTypeOnly: boolean;
  readonly line: number;
}

export interface FunctionShape {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
  readonly parameters: number;
}

export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments, strings and regular expressions blanked. */
  readonly code: string;
  readonly lines: number;
  readonly commentLines: number;
  readonly blankLines: number;
  readonly imports: readonly ImportStatement[];
  readonly functions: readonly FunctionShape[];
}

/** Reads and takes apart one file. */
export function readSourceFile(root: string, path: string): SourceFile {
  return parseSource(path, readFileSync(`${root}/${path}`, 'utf8'));
}

/** Takes source text apart. */
export function parseSource(path: string, text: string): SourceFile {
  const { code, commentLines } = blank(text);
  const lines = text.replace(/\n$/, '').split('\n');
  return {
    path,
    text,
    code,
    lines: lines.length,
    commentLines: commentLines.size,
    blankLines: lines.filter((line) => line.trim() === '').length,
    imports: findImports(text, code),
    functions: findFunctions(code),
  };
}

/** 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

function findImports(text: string, code: string): ImportStatement[] {
  const found: ImportStatement[] = [];
  const add = (quoteAt: number, isTypeOnly: boolean) => {
    const quote = text[quoteAt] as string;
    const specifier = text.slice(quoteAt + 1, text.indexOf(quote, quoteAt + 1));
    found.push({ specifier, isTypeOnly, line: lineAt(text, quoteAt) });
  };
  for (const match of code.matchAll(/^(?:import|export)\b([^;'"]*?)(?:\bfrom\s*)?['"]/gm)) {
    const clause = match[1] ?? '';
    if (match[0].startsWith('export') && !/\bfrom\s*['"]$/.test(match[0])) continue;
    add(match.index + match[0].length - 1, isTypeClause(clause));
  }
  for (const match of code.matchAll(/\bimport\(\s*['"]/g)) add(match.index + match[0].length - 1, false);
  return found;
}

function isTypeClause(clause: string): boolean {
  if (/^\s*type\b/.test(clause)) return true;
  const names = /^\s*\{([^}]*)\}\s*$/.exec(clause)?.[1];
  if (names === undefined) return false;
  const list = names.split(',').filter((name) => name.trim() !== '');
  return list.length > 0 && list.every((name) => /^\s*type\s/.test(name));
}

const header = new RegExp(
  [
    String.raw`\bfunction\b\s*\*?\s*([A-Za-z_$][\w$]*)\s*(?:<[^(]*?>)?\s*(\()`,
    String.raw`^[ \t]+(?:(?:public|private|protected|static|override|async|get|set|\*)\s+)*([A-Za-z_$][\w$]*)\s*(?:<[^(]*?>)?(\()`,
    String.raw`\b(?:const|let)\s+([A-Za-z_$][\w$]*)\s*(?::[^=;]*)?=\s*(?:async\s*)?(?:<[^(]*?>)?(\()`,
  ].join('|'),
  'gm',
);
const statements = new Set([
  'if',
  'for',
  'while',
  'switch',
  'catch',
  'return',
  'super',
  'function',
  'await',
  'typeof',
  'new',
  'throw',
  'import',
  'else',
  'do',
  'yield',
  'in',
  'of',
  'case',
]);

function findFunctions(code: string): FunctionShape[] {
  const found: FunctionShape[] = [];
  for (const match of code.matchAll(header)) {
    const name = match[1] ?? match[3] ?? match[5] ?? '';
    if (statements.has(name)) continue;
    const open = match.index + match[0].length - 1;
    const isArrow = match[5] !== undefined;
    const shape = measure(code, name, match.index + match[0].search(/\S/), open, isArrow);
    if (shape !== null) found.push(shape);
  }
  return found;
}

function measure(code: string, name: string, from: number, open: number, isArrow: boolean): FunctionShape | null {
  const close = findClosing(code, open);
  if (close < 0) return null;
  const body = findBody(code, close + 1, isArrow);
  if (body < 0) return null;
  const end = findClosing(code, body);
  const line = lineAt(code, from);
  const parameters = countParameters(code.slice(open + 1, close));
  return { name, line, lines: lineAt(code, end) - line + 1, parameters };
}

const closers: Readonly<Record<string, string>> = { '(': ')', '{': '}', '[': ']' };

function findClosing(code: string, open: number): number {
  const stack: string[] = [];
  for (let at = open; at < code.length; at++) {
    const character = code[at] as string;
    const closer = closers[character];
    if (closer !== undefined) stack.push(closer);
    else if (character === stack.at(-1)) {
      stack.pop();
      if (stack.length === 0) return at;
    }
  }
  return -1;
}

// The brace that opens the body: not one of a type literal in the return type, and for an arrow the one behind `=>`.
function findBody(code: string, from: number, isArrow: boolean): number {
  if (isArrow) {
    const arrow = /^\s*(?::[^;]*?)?=>\s*\{/.exec(code.slice(from, from + 400));
    return arrow === null ? -1 : from + arrow[0].length - 1;
  }
  let previous = ')';
  for (let at = from; at < code.length; at++) {
    const character = code[at] as string;
    if (/\s/.test(character)) continue;
    if (character === '{') {
      if (!/[:|&<,>=]/.test(previous) || isTypeEnd(code, at, previous)) return at;
      at = findClosing(code, at);
      if (at < 0) return -1;
    } else if (character === '(' || character === '[') {
      at = findClosing(code, at);
      if (at < 0) return -1;
    } else if (previous === ')' && !/[:{]/.test(character)) {
      return -1;
    } else if (/[;})=]/.test(character) && !code.startsWith('=>', at)) {
      return -1;
    }
    previous = character;
  }
  return -1;
}

// `Map<string, number> {`: the angle bracket closes a type, it does not begin one.
function isTypeEnd(code: string, at: number, previous: string): boolean {
  return previous === '>' && !code.slice(0, at).trimEnd().endsWith('=>');
}

function countParameters(list: string): number {
  let depth = 0;
  let count = list.trim() === '' ? 0 : 1;
  for (const [i, character] of [...list.trim()].entries()) {
    if ('([{<'.includes(character)) depth++;
    if (')]}'.includes(character) || (character === '>' && list.trim()[i - 1] !== '=')) depth--;
    if (character === ',' && depth === 0 && i < list.trim().length - 1) count++;
  }
  return count;
}
