// Resources as a table with the columns that their kind declares, as kubectl shows them.
import type { Column, KindInfo } from '@weft/api/resource/kind';
import type { ApiObject } from '@weft/local/mesh-api/client';
import { formatAge, toTable } from './format.ts';

/** The table of one kind; `isWide` adds the file that a resource came from. */
export function resourceTable(kind: KindInfo, objects: readonly ApiObject[], nowMs: number, isWide: boolean): string {
  const scope = kind.namespaced ? ['NAMESPACE'] : [];
  const heading = [
    ...scope,
    'NAME',
    ...kind.columns.map((column) => column.name.toUpperCase()),
    ...(isWide ? ['FILE'] : []),
  ];
  const rows = objects.map((object) => [
    ...(kind.namespaced ? [object.metadata.namespace ?? ''] : []),
    object.metadata.name,
    ...kind.columns.map((column) => cell(object, column, nowMs)),
    ...(isWide ? [object.metadata.annotations?.['weft.dev/file'] ?? ''] : []),
  ]);
  return toTable(heading, rows);
}

function cell(object: ApiObject, column: Column, nowMs: number): string {
  const values = valuesAt(object, column.path.split('.').slice(1));
  if (column.type !== 'date')
    return values.map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value))).join(',');
  const [time] = values;
  return typeof time === 'string' ? formatAge(nowMs - Date.parse(time)) : '';
}

/** Follows `.spec.ports[*].port`; arrays are spread. */
function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path));
  const [first, ...rest] = path;
  if (first === undefined) return [value];
  const key = first.replace(/\[\*\]$/, '');
  return typeof value === 'object' && key in value ? valuesAt((value as Record<string, unknown>)[key], rest) : [];
}
