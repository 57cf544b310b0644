// JSON merge patch (RFC 7396) and JSON patch (RFC 6902). Both make a new value and leave the old one as it was.

/** A patched value, or why the patch does not fit. */
export type PatchResult = { readonly value: unknown } | { readonly problem: string };

/** RFC 7396: mappings merge, null deletes, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const merged = new Map(isMapping(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

/** Most operations that one patch may have. */
const maxOperations = 10_000;
/** Most bytes that one patch may copy in all, as many as a body may have: a copy of a copy doubles what there is. */
const maxCopiedBytes = 3 * 1024 * 1024;

interface Copied {
  bytes: number;
}

/** RFC 6902. Nothing is applied when one operation does not fit. */
export function jsonPatch(target: unknown, patch: unknown): PatchResult {
  if (!Array.isArray(patch)) return { problem: 'a JSON patch is a list of operations' };
  if (patch.length > maxOperations) return { problem: `a JSON patch has at most ${maxOperations} operations` };
  let value = structuredClone(target);
  const copied: Copied = { bytes: 0 };
  // Later operations may change what earlier ones put in, and the same patch may be applied again.
  for (const [index, operation] of structuredClone(patch).entries()) {
    const result = applyOperation(value, operation, copied);
    if ('problem' in result) return { problem: `operation ${index}: ${result.problem}` };
    value = result.value;
  }
  return { value };
}

function applyOperation(target: unknown, operation: unknown, copied: Copied): PatchResult {
  if (!isMapping(operation)) return { problem: 'it is no mapping' };
  const { op, path, from, value } = operation;
  const parts = parsePointer(path);
  if (parts === null) return { problem: `path ${JSON.stringify(path)} is no JSON pointer` };
  switch (op) {
    case 'add':
      return edit(target, parts, (holder, key) => insert(holder, key, value), value);
    case 'replace':
      return edit(target, parts, (holder, key) => (has(holder, key) ? set(holder, key, value) : missing(path)), value);
    case 'remove':
      return edit(target, parts, (holder, key) => (has(holder, key) ? remove(holder, key) : missing(path)), undefined);
    case 'test':
      return test(target, parts, value, path);
    case 'move':
      return move(target, parts, from);
    case 'copy':
      return copy(target, parts, from, copied);
    default:
      return { problem: `there is no operation ${JSON.stringify(op)}` };
  }
}

function move(target: unknown, parts: readonly string[], from: unknown): PatchResult {
  const found = find(target, from);
  if ('problem' in found) return found;
  const emptied = edit(target, found.parts, remove, undefined);
  if ('problem' in emptied) return emptied;
  return edit(emptied.value, parts, (holder, key) => insert(holder, key, found.value), found.value);
}

function copy(target: unknown, parts: readonly string[], from: unknown, copied: Copied): PatchResult {
  const found = find(target, from);
  if ('problem' in found) return found;
  copied.bytes += Buffer.byteLength(JSON.stringify(found.value));
  if (copied.bytes > maxCopiedBytes) return { problem: `the patch copies more than ${maxCopiedBytes} bytes in all` };
  const value: unknown = structuredClone(found.value);
  return edit(target, parts, (holder, key) => insert(holder, key, value), value);
}

function find(
  target: unknown,
  from: unknown,
): { readonly value: unknown; readonly parts: readonly string[] } | { readonly problem: string } {
  const parts = parsePointer(from);
  if (parts === null) return { problem: `from ${JSON.stringify(from)} is no JSON pointer` };
  const value = read(target, parts);
  return value === undefined ? { problem: `from ${JSON.stringify(from)} does not exist` } : { value, parts };
}

function test(target: unknown, parts: readonly string[], value: unknown, path: unknown): PatchResult {
  const isSame = JSON.stringify(sortKeys(read(target, parts))) === JSON.stringify(sortKeys(value));
  return isSame
    ? { value: target }
    : { problem: `the value at ${JSON.stringify(path)} is not the one that was tested for` };
}

type Holder = Record<string, unknown> | unknown[];
type Edit = (holder: Holder, key: string) => string | null;

/** Runs `change` on whatever holds the last part; at the root the whole value is replaced. */
function edit(target: unknown, parts: readonly string[], change: Edit, whole: unknown): PatchResult {
  const key = parts.at(-1);
  if (key === undefined) return { value: whole };
  const holder = read(target, parts.slice(0, -1));
  if (!isMapping(holder) && !Array.isArray(holder)) return { problem: `nothing holds /${parts.join('/')}` };
  const problem = change(holder, key);
  return problem === null ? { value: target } : { problem };
}

function insert(holder: Holder, key: string, value: unknown): string | null {
  if (!Array.isArray(holder)) return set(holder, key, value);
  const index = key === '-' ? holder.length : indexOf(key);
  if (index === null || index > holder.length) return `${key} is no place in a list of ${holder.length}`;
  holder.splice(index, 0, value);
  return null;
}

function set(holder: Holder, key: string, value: unknown): null {
  // Defined rather than assigned, so that a key such as __proto__ is a key like any other.
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
  return null;
}

function remove(holder: Holder, key: string): string | null {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
  return null;
}

function has(holder: Holder, key: string): boolean {
  if (!Array.isArray(holder)) return Object.hasOwn(holder, key);
  const index = indexOf(key);
  return index !== null && index < holder.length;
}

function missing(path: unknown): string {
  return `${JSON.stringify(path)} does not exist`;
}

function indexOf(key: string): number | null {
  return /^(?:0|[1-9]\d{0,8})$/.test(key) ? Number(key) : null;
}

function read(value: unknown, parts: readonly string[]): unknown {
  let at = value;
  for (const part of parts) {
    if ((!isMapping(at) && !Array.isArray(at)) || !has(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

function parsePointer(path: unknown): readonly string[] | null {
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/'))) return null;
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sortKeys(member)]),
  );
}

/** Whether it is a mapping, neither list nor null. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
