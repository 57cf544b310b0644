// Who imports whom, resolved to files of this repository.

import { posix } from 'node:path';
import type { SourceFile } from '../../scripts/source/source-file.ts';

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly line: number;
  readonly isTypeOnly: boolean;
}

/** The file a specifier means, as a path of the repository, or null for packages and Node's own modules. */
export function resolveImport(from: string, specifier: string): string | null {
  if (specifier.startsWith('.')) return posix.normalize(posix.join(posix.dirname(from), specifier));
  const own = /^@weft\/([a-z-]+)\/(.+)$/.exec(specifier);
  return own === null ? null : `${own[1]}/src/${own[2]}.ts`;
}

/** Every import of one of our files by another. */
export function importEdges(sources: readonly SourceFile[]): Edge[] {
  const edges: Edge[] = [];
  for (const source of sources) {
    for (const { specifier, isTypeOnly, line } of source.imports) {
      const to = resolveImport(source.path, specifier);
      if (to !== null) edges.push({ from: source.path, to, line, isTypeOnly });
    }
  }
  return edges;
}

/** Circles of imports that exist when the program runs; each as the list of its files. */
export function findCycles(edges: readonly Edge[]): string[][] {
  const targets: Map<string, string[]> = new Map();
  for (const { from, to, isTypeOnly } of edges) {
    if (isTypeOnly) continue;
    const list = targets.get(from);
    if (list === undefined) targets.set(from, [to]);
    else list.push(to);
  }
  const cycles: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]) => {
    const at = trail.indexOf(file);
    if (at >= 0) cycles.push([...trail.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return cycles;
}
