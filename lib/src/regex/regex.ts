// Regular expressions in RE2 syntax whose time is linear in the text, with plain-text fast paths: most patterns people write in
// routes are a literal, a prefix or a suffix, and need no automaton.

import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { WeftError } from '../error.ts';
import { compileNative } from './regex-native.ts';
import { estimateProgramSize } from './regex-size.ts';

/** Longer patterns are refused: they are a mistake, and their automata fill the memory. */
export const maxPatternLength = 4096;
/** Instructions of the compiled program; repetition can make a short pattern huge (`(a{100}){100}`). */
export const maxProgramSize = 20_000;
/** The same, told from the text: what the estimate is off by is no reason to refuse a pattern. */
export const maxEstimate = 4 * maxProgramSize;

type Engine = typeof import('re2js');

const require = createRequire(import.meta.url);
let loaded: Engine | null = null;

// Loaded with the first pattern: a proxy without expressions does without the megabyte.
function engine(): Engine {
  loaded ??= require('re2js') as Engine;
  return loaded;
}

type Kind = 'any' | 'exact' | 'prefix' | 'suffix' | 'contains' | 'one-of' | 'native' | 'automaton';

/** A compiled pattern. */
export class Regex {
  readonly pattern: string;
  private readonly kind: Kind;
  private readonly literal: string;
  private readonly choices: ReadonlySet<string> | null;
  private readonly native: RegExp | null;
  private readonly automaton: RE2JS;

  constructor(pattern: string) {
    this.pattern = pattern;
    this.automaton = engine().RE2JS.compile(pattern);
    const plain = analyse(pattern);
    const native = plain === null ? compileNative(pattern) : null;
    this.kind = plain?.kind ?? (native === null ? 'automaton' : 'native');
    this.literal = plain?.literal ?? '';
    this.choices = plain?.choices ?? null;
    this.native = native;
  }

  /** Approximate cost of the compiled program. */
  get programSize(): number {
    return this.automaton.programSize();
  }

  /** Number of capturing groups. */
  get groupCount(): number {
    return this.automaton.groupCount();
  }

  /** Whether the whole text matches. */
  test(text: string): boolean {
    switch (this.kind) {
      case 'exact':
        return text === this.literal;
      case 'native':
        return this.native?.test(text) === true;
      case 'automaton':
        return this.automaton.testExact(text);
      case 'one-of':
        return this.choices?.has(text) === true;
      default:
        return this.testAffix(text);
    }
  }

  // A dot matches everything but a line feed, also here.
  private testAffix(text: string): boolean {
    const { kind, literal } = this;
    if (kind === 'prefix') return text.startsWith(literal) && !text.includes('\n', literal.length);
    if (kind === 'any') return !text.includes('\n');
    if (text.includes('\n')) return this.automaton.testExact(text);
    return kind === 'suffix' ? text.endsWith(literal) : text.includes(literal);
  }

  /** Whether some part of the text matches. */
  find(text: string): boolean {
    return this.automaton.test(text);
  }

  /** Every match replaced; `\1` ... `\9` in the substitution stand for groups, `\0` for the match, `\\` for a backslash. */
  replaceAll(text: string, substitution: Substitution): string {
    const matcher = this.automaton.matcher(text);
    let result = '';
    let from = 0;
    let start = 0;
    while (matcher.find()) {
      // As RE2: no empty match directly behind the previous one.
      if (matcher.end() === matcher.start() && matcher.start() === from && start > 0) continue;
      start++;
      result += text.slice(from, matcher.start()) + substitution.expand((group) => matcher.group(group) ?? '');
      from = matcher.end();
    }
    return result + text.slice(from);
  }
}

/** The parsed right side of a replacement. */
export class Substitution {
  private readonly parts: readonly (string | number)[];
  /** The highest group it refers to. */
  readonly highestGroup: number;

  constructor(parts: readonly (string | number)[]) {
    this.parts = parts;
    this.highestGroup = parts.reduce<number>(
      (high, part) => (typeof part === 'number' ? Math.max(high, part) : high),
      0,
    );
  }

  expand(group: (index: number) => string): string {
    let text = '';
    for (const part of this.parts) text += typeof part === 'number' ? group(part) : part;
    return text;
  }
}

/** Throws `WeftError` when the pattern is no RE2 expression or exceeds a limit. */
export function compileRegex(pattern: string): Regex {
  if (pattern.length > maxPatternLength) {
    const problem = `the pattern has ${pattern.length} characters; at most ${maxPatternLength} are allowed`;
    throw new WeftError('WEFT0301', problem);
  }
  // What is far too large is not even compiled: that alone can take seconds.
  const estimate = estimateProgramSize(pattern);
  if (estimate > maxEstimate) {
    const problem = `the pattern compiles to about ${estimate} instructions; at most ${maxProgramSize} are allowed`;
    throw new WeftError('WEFT0301', problem);
  }
  const regex = parsePattern(pattern);
  if (regex.programSize > maxProgramSize) {
    const problem = `the pattern compiles to ${regex.programSize} instructions; at most ${maxProgramSize} are allowed`;
    throw new WeftError('WEFT0301', problem);
  }
  return regex;
}

function parsePattern(pattern: string): Regex {
  try {
    return new Regex(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    throw new WeftError('WEFT0300', reason, { cause: error });
  }
}

/** Throws `WeftError` when a backslash is followed by anything but a digit or a backslash. */
export function compileSubstitution(text: string): Substitution {
  const parts: (string | number)[] = [];
  let literal = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character !== '\\') {
      literal += character;
      continue;
    }
    const next = text[++i] ?? '';
    if (next === '\\') {
      literal += next;
    } else if (next >= '0' && next <= '9') {
      parts.push(literal, Number(next));
      literal = '';
    } else {
      throw new WeftError('WEFT0302', `"\\${next}" is no group; write \\0 to \\9, or \\\\ for a backslash`);
    }
  }
  parts.push(literal);
  return new Substitution(parts.filter((part) => part !== ''));
}

interface Plain {
  readonly kind: Kind;
  readonly literal: string;
  readonly choices: ReadonlySet<string> | null;
}

// The forms that need no automaton. Whole-text matching makes a leading `^` and a trailing `$` say nothing.
function analyse(pattern: string): Plain | null {
  let body = pattern;
  if (body.startsWith('^')) body = body.slice(1);
  if (body.endsWith('$') && !body.endsWith('\\$')) body = body.slice(0, -1);
  // With an alternation at the top, `^` and `$` belong to one branch each and not to all; the result is the same for whole-text matching.
  if (body === '.*') return { kind: 'any', literal: '', choices: null };
  const choices = literalChoices(body);
  if (choices !== null) return { kind: 'one-of', literal: '', choices };
  const open = body.startsWith('.*');
  if (open) body = body.slice(2);
  const ended = body.endsWith('.*') && !body.endsWith('\\.*');
  if (ended) body = body.slice(0, -2);
  const literal = unescapeLiteral(body);
  if (literal === null) return null;
  const kind = open ? (ended ? 'contains' : 'suffix') : ended ? 'prefix' : 'exact';
  return { kind, literal, choices: null };
}

function literalChoices(body: string): ReadonlySet<string> | null {
  const inner = /^\((?:\?:)?([^()]*)\)$/.exec(body)?.[1] ?? body;
  if (!inner.includes('|')) return null;
  const literals = inner.split('|').map(unescapeLiteral);
  return literals.includes(null) ? null : new Set(literals.filter((literal) => literal !== null));
}

// The text a pattern without operators stands for, or null when it has one. Letters behind a backslash are classes or worse.
function unescapeLiteral(pattern: string): string | null {
  if (/(?<!\\)(?:\\\\)*[.*+?()[\]{}|^$]/.test(pattern)) return null;
  if (/(?<!\\)(?:\\\\)*\\(?:[A-Za-z0-9_]|[^\x00-\x7f]|$)/.test(pattern)) return null;
  return pattern.replace(/\\(.)/gs, '$1');
}
