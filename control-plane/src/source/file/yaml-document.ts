// Reads the text of a file of resources into plain values, each with the line of every field, or says why it cannot.

import { messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import { Composer, type CST, type Document, isScalar, Lexer, LineCounter, Parser } from 'yaml';
import { Findings } from '../../resource/findings.ts';
import { formCodes } from '../../resource/issue-code.ts';
import type { FieldLines, Positions } from '../../store/world.ts';
import { NodeProblem, type PlacedValue, readNode } from './yaml-node.ts';

/** One resource as a plain value, not yet checked. */
export interface ResourceDocument {
  readonly value: unknown;
  readonly positions: Positions;
}

/** All documents of a file; `issues` are about the text, and with any of them the documents are incomplete. */
export interface FileContent {
  readonly documents: readonly ResourceDocument[];
  readonly issues: readonly Issue[];
}

const maxProblems = 3;
/** Findings about the text of one file, and documents in it, after which the rest is left unread. */
const maxFileProblems = 50;
const maxDocuments = 10_000;
/** Words, separators and spaces of one document: more than the values that it may have are written with. */
const maxLexemes = 1_500_000;

/** Keys are compared when a mapping is read: the parser compares each with every other. */
const parseOptions = { prettyErrors: false, uniqueKeys: false, logLevel: 'silent' } as const;

/** Parses YAML or JSON, many documents in a file; a `List` gives its items. */
export function readDocuments(text: string, file: string): FileContent {
  return atOnce(documentSteps(text, file));
}

/** What steps come to, all of them at once. */
export function atOnce<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `readDocuments`, with a step after each document, so that whoever must not be held up reads in slices. */
export function* documentSteps(text: string, file: string): Generator<void, FileContent> {
  const lines = new LineCounter();
  const reader = new DocumentReader(file, lines);
  const tokens = boundedTokens(text, lines, reader);
  let count = 0;
  try {
    // Parsed as they are read, so that a file with too much in it costs no more than what is read of it.
    for (const document of new Composer(parseOptions).compose(tokens)) {
      if (++count > maxDocuments) {
        reader.problem(lines.lineStarts.length, tooMany, formCodes.tooManyNodes);
        break;
      }
      if (!reader.read(document)) break;
      yield;
    }
  } catch (thrown) {
    reader.problem(Math.max(1, lines.lineStarts.length), `The file cannot be parsed: ${messageOf(thrown)}.`);
  }
  return reader.content();
}

/** The documents of a text, up to one with so much in it that to read on would hold everything else up for many seconds. */
function* boundedTokens(text: string, lines: LineCounter, reader: DocumentReader): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > maxLexemes) {
      reader.problem(lines.lineStarts.length, tooDense, formCodes.tooManyNodes);
      return;
    }
    for (const token of parser.next(lexeme)) {
      count = 0;
      yield token;
    }
  }
  yield* parser.end();
}

const tooDense = 'The document has more in it than is read at once; write less in one document.';
const tooMany = `The file has more than ${maxDocuments} documents; split it.`;

class DocumentReader {
  private readonly documents: ResourceDocument[] = [];
  private readonly issues: Issue[] = [];
  private readonly file: string;
  private readonly lines: LineCounter;

  constructor(file: string, lines: LineCounter) {
    this.file = file;
    this.lines = lines;
  }

  content(): FileContent {
    return { documents: this.documents, issues: this.issues };
  }

  problem(line: number, message: string, code = formCodes.invalidYaml): void {
    const positions = { file: this.file, line, fields: {} };
    const findings = new Findings({ kind: 'File', namespace: '', name: this.file }, positions);
    findings.add(code, '', message);
    this.issues.push(...findings.issues);
  }

  /** False when the file has so much wrong with it that the rest need not be read. */
  read(document: Document.Parsed): boolean {
    // Later complaints about broken text mostly follow from the first ones.
    for (const error of document.errors.slice(0, maxProblems)) {
      this.problem(this.lineAt(error.pos[0]), explain(error.message));
    }
    const root = document.contents;
    if (document.errors.length > 0 || root === null || (isScalar(root) && root.value === null))
      return this.issues.length < maxFileProblems;
    try {
      this.addResource(readNode(root, (offset) => this.lineAt(offset)));
    } catch (thrown) {
      if (!(thrown instanceof NodeProblem)) throw thrown;
      this.problem(this.lineAt(thrown.offset), thrown.message, thrown.code);
    }
    return this.issues.length < maxFileProblems;
  }

  private addResource({ value, line, fields }: PlacedValue): void {
    const items = listItems(value);
    if (items === null) {
      this.documents.push({ value, positions: { file: this.file, line, fields } });
      return;
    }
    const ofItems = itemFields(fields);
    for (const [index, item] of items.entries()) {
      this.addResource({ value: item, line: fields[`items[${index}]`] ?? line, fields: ofItems[index] ?? {} });
    }
  }

  private lineAt(offset: number): number {
    return Math.max(1, this.lines.linePos(offset).line);
  }
}

/** The fields of each item of a list, by paths that begin in the item. */
function itemFields(fields: FieldLines): Record<string, number>[] {
  const items: Record<string, number>[] = [];
  for (const [path, line] of Object.entries(fields)) {
    const match = /^items\[(\d+)\]\.?(.+)$/s.exec(path);
    if (match?.[2] !== undefined) (items[Number(match[1])] ??= {})[match[2]] = line;
  }
  return items;
}

function listItems(value: unknown): readonly unknown[] | null {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('items' in value)) return null;
  const isList = typeof value.kind === 'string' && value.kind.endsWith('List');
  return isList && Array.isArray(value.items) ? value.items : null;
}

function explain(message: string): string {
  if (message.startsWith('Maximum call stack')) return 'The document is nested too deeply.';
  const line = message.split('\n')[0] ?? message;
  return line.endsWith('.') ? line : `${line}.`;
}
