// Dotted paths of fields, such as `spec.http[0].match[1].headers["x-user"]`, and the lines they stand on.

import type { FieldLines } from '../store/world.ts';

const plainKey = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** The path one step deeper. */
export function joinPath(path: string, part: string | number): string {
  if (typeof part === 'number') return `${path}[${part}]`;
  if (!plainKey.test(part)) return `${path}[${JSON.stringify(part)}]`;
  return path === '' ? part : `${path}.${part}`;
}

/** The dotted form of a list of keys and indexes. */
export function pathOf(parts: readonly PropertyKey[]): string {
  return parts.reduce<string>((path, part) => joinPath(path, typeof part === 'symbol' ? String(part) : part), '');
}

/** The path one step shallower; empty at the top. */
export function parentPath(path: string): string {
  if (path.endsWith(']')) return path.slice(0, path.lastIndexOf('['));
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

/** The line of a field, or of the nearest field around it that has one. */
export function lineOf(fields: FieldLines, path: string): number | undefined {
  for (let at = path; at !== ''; at = parentPath(at)) {
    const line = Object.hasOwn(fields, at) ? fields[at] : undefined;
    if (line !== undefined) return line;
  }
  return undefined;
}
