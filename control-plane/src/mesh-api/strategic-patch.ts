// Kubernetes' strategic merge patch, as kubectl sends it for core kinds: lists with a key are merged item by item.

import { isMapping } from './json-patch.ts';

/** Keys of the lists of core kinds that merge; all other lists are replaced. `''` is a list of plain values. */
const mergeKeys: Readonly<Record<string, string>> = {
  'spec.ports': 'port',
  'metadata.finalizers': '',
  'metadata.ownerReferences': 'uid',
};

/** Merges by the lists' keys; understands `$patch`, `$deleteFromPrimitiveList`, `$setElementOrder` and `$retainKeys`. */
export function strategicPatch(target: unknown, patch: unknown, path = ''): unknown {
  if (!isMapping(patch)) return patch;
  if (patch.$patch === 'replace') return withoutDirectives(patch);
  if (patch.$patch === 'delete') return undefined;
  const merged = new Map(isMapping(target) ? Object.entries(target) : []);
  if (Array.isArray(patch.$retainKeys)) {
    for (const key of [...merged.keys()]) if (!patch.$retainKeys.includes(key)) merged.delete(key);
  }
  const entries = Object.entries(patch);
  for (const [key, value] of entries)
    if (!key.startsWith('$')) mergeMember(merged, key, value, path === '' ? key : `${path}.${key}`);
  for (const [key, value] of entries) if (key.startsWith('$')) applyDirective(merged, key, value, path);
  return Object.fromEntries(merged);
}

function mergeMember(merged: Map<string, unknown>, key: string, value: unknown, path: string): void {
  const result =
    value === null
      ? undefined
      : Array.isArray(value)
        ? mergeList(merged.get(key), value, path)
        : strategicPatch(merged.get(key), value, path);
  if (result === undefined) merged.delete(key);
  else merged.set(key, result);
}

function mergeList(target: unknown, patch: readonly unknown[], path: string): unknown {
  const mergeKey = mergeKeys[path];
  const isReplaced = patch.some(
    (item) => isMapping(item) && item.$patch === 'replace' && Object.keys(item).length === 1,
  );
  const plain = patch.filter((item) => !(isMapping(item) && item.$patch === 'replace'));
  if (mergeKey === undefined || isReplaced || !Array.isArray(target))
    return plain.filter((item) => !(isMapping(item) && item.$patch === 'delete'));
  if (mergeKey === '') return [...new Set([...target, ...plain])];
  const items: unknown[] = [...target];
  for (const item of plain) {
    if (!isMapping(item)) continue;
    const at = items.findIndex((each) => isMapping(each) && each[mergeKey] === item[mergeKey]);
    if (item.$patch === 'delete') {
      if (at >= 0) items.splice(at, 1);
    } else if (at >= 0) items[at] = strategicPatch(items[at], item, `${path}[]`);
    else items.push(item);
  }
  return items;
}

function applyDirective(merged: Map<string, unknown>, key: string, value: unknown, path: string): void {
  const [directive, field = ''] = key.split('/');
  const list = merged.get(field);
  if (!Array.isArray(value) || !Array.isArray(list)) return;
  if (directive === '$deleteFromPrimitiveList')
    merged.set(
      field,
      list.filter((item) => !value.includes(item)),
    );
  const mergeKey = mergeKeys[path === '' ? field : `${path}.${field}`];
  if (directive === '$setElementOrder' && mergeKey !== undefined) merged.set(field, inOrder(list, value, mergeKey));
}

/** Items in the order that is given; those it does not name come last. */
function inOrder(list: readonly unknown[], order: readonly unknown[], mergeKey: string): readonly unknown[] {
  const keyOf = (item: unknown) => (mergeKey !== '' && isMapping(item) ? item[mergeKey] : item);
  const wanted = order.map(keyOf);
  const rank = (item: unknown) => {
    const at = wanted.indexOf(keyOf(item));
    return at < 0 ? wanted.length : at;
  };
  return [...list].sort((a, b) => rank(a) - rank(b));
}

function withoutDirectives(patch: Record<string, unknown>): unknown {
  return Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith('$')));
}
