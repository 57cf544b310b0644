// Kubernetes' Table form of resources: what `kubectl get` prints.

import type { AnyResource, Column, KindInfo } from '@weft/api/resource/kind';

const nameColumn = { name: 'Name', type: 'string', format: 'name', description: 'Name of the resource', priority: 0 };

/** A Table of the objects, as they are served. */
export function tableOf(info: KindInfo, objects: readonly AnyResource[], metadata: object, nowMs: number): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: [
      nameColumn,
      ...info.columns.map((column) => ({
        name: column.name,
        type: column.type === 'date' ? 'string' : column.type,
        format: '',
        description: '',
        priority: 0,
      })),
    ],
    rows: objects.map((object) => ({
      cells: [object.metadata.name, ...info.columns.map((column) => cellOf(object, column, nowMs))],
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  };
}

function cellOf(object: AnyResource, column: Column, nowMs: number): unknown {
  const values = readPath(object, column.path.split('.').slice(1));
  const [value] = values;
  if (column.type === 'date') return typeof value === 'string' ? ageOf(Date.parse(value), nowMs) : '<unknown>';
  if (values.length === 0) return column.type === 'integer' ? null : '';
  if (values.length > 1) return values.join(',');
  return typeof value === 'object' ? JSON.stringify(value) : value;
}

function readPath(value: unknown, parts: readonly string[]): readonly unknown[] {
  const [part, ...rest] = parts;
  if (part === undefined) return value === undefined ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  const isAll = part.endsWith('[*]');
  const member: unknown = new Map(Object.entries(value)).get(isAll ? part.slice(0, -3) : part);
  if (isAll) return Array.isArray(member) ? member.flatMap((each) => readPath(each, rest)) : [];
  return readPath(member, rest);
}

/** `45s`, `12m`, `3h`, `2d`: the largest unit that says something. */
function ageOf(fromMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - fromMs) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
