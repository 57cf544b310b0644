// From the nodes of a YAML document to a plain value with the line of every field: aliases followed, merge keys carried out, all bounded.

import { isAlias, isMap, isNode, isScalar, isSeq, type Node, Scalar, type YAMLMap, type YAMLSeq } from 'yaml';
import { joinPath } from '../../resource/field-path.ts';
import { formCodes, type IssueCode } from '../../resource/issue-code.ts';
import type { FieldLines } from '../../store/world.ts';

/** A value and where it stands. */
export interface PlacedValue {
  readonly value: unknown;
  readonly line: number;
  readonly fields: FieldLines;
}

/** Why a document gives no value. */
export class NodeProblem extends Error {
  /** Into the text. */
  readonly offset: number;
  readonly code: IssueCode;

  constructor(node: Node, message: string, code: IssueCode = formCodes.invalidYaml) {
    super(message);
    this.offset = offsetOf(node);
    this.code = code;
  }
}

/** Values that one document may have once aliases are followed: a small text can otherwise become gigabytes. */
const maxValues = 200_000;
const maxDepth = 64;

/** Reads the whole of a document. Throws `NodeProblem`. */
export function readNode(root: Node, lineAt: (offset: number) => number): PlacedValue {
  const targets = new Map<Node, Node>();
  linkAliases(root, new Map(), targets, 0);
  const reader = new NodeReader(root, targets, lineAt);
  return { value: reader.read(root, '', 0), line: lineAt(offsetOf(root)), fields: reader.fields };
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** Finds what each alias means, in one pass: the last anchor of that name before it. */
function linkAliases(node: unknown, anchors: Map<string, Node>, targets: Map<Node, Node>, depth: number): void {
  if (!isNode(node)) return;
  if (isAlias(node)) {
    const target = anchors.get(node.source);
    if (target === undefined) throw new NodeProblem(node, unknownAlias(node.source));
    targets.set(node, target);
    return;
  }
  if (depth > maxDepth) throw tooDeep(node);
  if (node.anchor !== undefined) anchors.set(node.anchor, node);
  if (isSeq(node)) for (const item of node.items) linkAliases(item, anchors, targets, depth + 1);
  if (!isMap(node)) return;
  for (const { key, value } of node.items) {
    linkAliases(key, anchors, targets, depth + 1);
    linkAliases(value, anchors, targets, depth + 1);
  }
}

function unknownAlias(name: string): string {
  return `The alias *${name} has no anchor &${name} before it in this document; anchors of other documents do not count.`;
}

function tooDeep(node: Node): NodeProblem {
  return new NodeProblem(node, `The document is nested more than ${maxDepth} levels deep.`, formCodes.tooManyNodes);
}

class NodeReader {
  readonly fields: Record<string, number> = {};
  private readonly root: Node;
  private readonly targets: ReadonlyMap<Node, Node>;
  private readonly lineAt: (offset: number) => number;
  private count = 0;

  constructor(root: Node, targets: ReadonlyMap<Node, Node>, lineAt: (offset: number) => number) {
    this.root = root;
    this.targets = targets;
    this.lineAt = lineAt;
  }

  read(node: Node, path: string, depth: number): unknown {
    this.countOne();
    if (depth > maxDepth) throw tooDeep(this.root);
    const target = this.targets.get(node) ?? node;
    if (isMap(target)) return this.readMap(target, path, depth);
    if (isSeq(target)) return this.readSeq(target, path, depth);
    return isScalar(target) ? target.value : null;
  }

  private countOne(): void {
    if (++this.count <= maxValues) return;
    const message = `With its aliases followed the document has more than ${maxValues} values; write less in one document.`;
    throw new NodeProblem(this.root, message, formCodes.tooManyNodes);
  }

  private readSeq(sequence: YAMLSeq, path: string, depth: number): unknown[] {
    return sequence.items.map((item, index) => {
      if (!isNode(item)) return null;
      const at = joinPath(path, index);
      this.fields[at] = this.lineAt(offsetOf(item));
      return this.read(item, at, depth + 1);
    });
  }

  private readMap(map: YAMLMap, path: string, depth: number): object {
    const members = this.members(map, depth);
    const entries = [...members].map(([name, { key, value }]) => {
      const at = joinPath(path, name);
      this.fields[at] = this.lineAt(offsetOf(key));
      return [name, isNode(value) ? this.read(value, at, depth + 1) : null] as const;
    });
    return Object.fromEntries(entries);
  }

  /** The map's own members and those that merge keys bring: its own win, then what is named first. */
  private members(map: YAMLMap, depth: number): ReadonlyMap<string, Member> {
    const members = new Map<string, Member>();
    for (const { key, value } of map.items) {
      if (!isNode(key) || isMergeKey(key)) continue;
      const name = this.nameOf(key);
      const first = members.get(name);
      if (first !== undefined) throw this.repeated(key, name, first.key);
      members.set(name, { key, value });
    }
    for (const { key, value } of map.items) {
      if (!isNode(key) || !isMergeKey(key)) continue;
      for (const source of this.mergeSources(key, value)) {
        this.countOne();
        if (depth >= maxDepth) throw tooDeep(this.root);
        for (const [name, member] of this.members(source, depth + 1)) {
          this.countOne();
          if (!members.has(name)) members.set(name, member);
        }
      }
    }
    return members;
  }

  private mergeSources(key: Node, value: unknown): readonly YAMLMap[] {
    const target = this.follow(value);
    const sources = isSeq(target) ? target.items.map((item) => this.follow(item)) : [target];
    return sources.map((source) => {
      if (isMap(source)) return source;
      throw new NodeProblem(key, 'The merge key << takes a mapping, such as an alias of one, or a list of them.');
    });
  }

  private follow(node: unknown): unknown {
    return isNode(node) ? (this.targets.get(node) ?? node) : node;
  }

  private nameOf(key: Node): string {
    const target = this.follow(key);
    if (isScalar(target)) return target.value === null ? '' : String(target.value);
    throw new NodeProblem(key, 'The key of a mapping has to be text; this one is a list or a mapping.');
  }

  private repeated(key: Node, name: string, first: Node): NodeProblem {
    const line = this.lineAt(offsetOf(first));
    return new NodeProblem(key, `The key ${name} stands in line ${line} of the same mapping already; remove one.`);
  }
}

interface Member {
  readonly key: Node;
  readonly value: unknown;
}

/** In quotes it is a name like any other; in a document of YAML 1.1 the parser makes a symbol of it. */
function isMergeKey(key: Node): boolean {
  if (!isScalar(key) || key.type !== Scalar.PLAIN) return false;
  return key.value === '<<' || typeof key.value === 'symbol';
}
