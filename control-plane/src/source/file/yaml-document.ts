// Reads the text of a file of resources into plain values, each with the line of every field, or says why it cannot.

import { messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import { joinPath } from '../../resource/field-path.ts';
import { Findings } from '../../resource/findings.ts';
import { formCodes } from '../../resource/issue-code.ts';
import type { Positions } from '../../store/world.ts';

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

/** Nodes that one document may have once aliases are followed: a small text can otherwise become gigabytes. */
const maxNodes = 200_000;
const maxDepth = 64;
const maxProblems = 3;

/** Parses YAML or JSON, many documents in a file; a `List` gives its items. */
export function readDocuments(text: string, file: string): FileContent {
  const lines = new LineCounter();
  const reader = new DocumentReader(file, lines);
  let documents: readonly Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      logLevel: 'silent',
    });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (thrown) {
    reader.problem(1, `The file cannot be parsed: ${messageOf(thrown)}.`);
    return reader.content();
  }
  for (const document of documents) reader.read(document);
  return reader.content();
}

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

  read(document: Document.Parsed): void {
    // Later complaints about broken text mostly follow from the first ones.
    for (const error of document.errors.slice(0, maxProblems)) {
      this.problem(this.lineAt(error.pos[0]), explain(error.message));
    }
    const root = document.contents;
    if (document.errors.length > 0 || root === null || (isScalar(root) && root.value === null)) return;
    const size = measure(root, document, 0, { nodes: 0 });
    if (size !== null) {
      this.problem(this.lineOf(root), size, formCodes.tooManyNodes);
      return;
    }
    // The measure above has bounded what aliases can make of it.
    const value: unknown = document.toJS({ maxAliasCount: -1 });
    this.addResource(value, root, document);
  }

  private addResource(value: unknown, node: Node, document: Document): void {
    const items = listItems(value);
    const sequence = isMap(node) ? node.get('items', true) : null;
    if (items === null || !isSeq(sequence)) {
      const fields: Record<string, number> = {};
      this.collectLines(node, '', document, fields);
      this.documents.push({ value, positions: { file: this.file, line: this.lineOf(node), fields } });
      return;
    }
    for (const [index, item] of items.entries()) {
      const child = sequence.items[index];
      if (isNode(child)) this.addResource(item, child, document);
    }
  }

  private collectLines(node: Node, path: string, document: Document, fields: Record<string, number>): void {
    const target = isAlias(node) ? node.resolve(document) : node;
    if (isMap(target)) {
      for (const pair of target.items) {
        const key = isScalar(pair.key) ? String(pair.key.value) : null;
        if (key === null || !isNode(pair.key)) continue;
        const at = joinPath(path, key);
        fields[at] = this.lineOf(pair.key);
        if (isNode(pair.value)) this.collectLines(pair.value, at, document, fields);
      }
    }
    if (!isSeq(target)) return;
    for (const [index, item] of target.items.entries()) {
      if (!isNode(item)) continue;
      const at = joinPath(path, index);
      fields[at] = this.lineOf(item);
      this.collectLines(item, at, document, fields);
    }
  }

  private lineOf(node: Node): number {
    return this.lineAt(node.range?.[0] ?? 0);
  }

  private lineAt(offset: number): number {
    return Math.max(1, this.lines.linePos(offset).line);
  }
}

/** Why the document is too large once its aliases are followed, or null. */
function measure(node: unknown, document: Document, depth: number, count: { nodes: number }): string | null {
  count.nodes++;
  if (count.nodes > maxNodes)
    return `With its aliases followed the document has more than ${maxNodes} values; write less in one document.`;
  if (depth > maxDepth) return `The document is nested more than ${maxDepth} levels deep.`;
  const target = isAlias(node) ? node.resolve(document) : node;
  if (!isCollection(target)) return null;
  for (const item of target.items) {
    const child = isNode(item) ? item : (item as { value?: unknown }).value;
    const problem = measure(child, document, depth + 1, count);
    if (problem !== null) return problem;
  }
  return null;
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
