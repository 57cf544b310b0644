// What every item of the model has in common: which resource said so, and since when.

import type { KindName } from '@weft/api/resource/kind';
import type { Origin } from '@weft/lib/issue';
import type { StoredResource } from '../store/world.ts';

/** A resource's identity in the model. `T` is its spec. */
export interface Sourced<T> {
  readonly namespace: string;
  readonly name: string;
  readonly origin: Origin;
  /** RFC 3339, empty when unknown. The older of two rivals wins. */
  readonly createdAt: string;
  readonly spec: T;
  /** Line of a field in the file of `origin`, when that is known. */
  readonly lineOf: (path: string) => number | undefined;
}

/** The model's view of a stored resource. */
export function sourced<K extends KindName, T>(resource: StoredResource<K>, spec: T): Sourced<T> {
  const { metadata } = resource.object;
  return {
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    origin: resource.origin,
    createdAt: metadata.creationTimestamp ?? '',
    spec,
    lineOf: (path) => resource.positions?.fields[path],
  };
}

/** The origin of one field of the resource, with its own line. */
export function originOf(item: Sourced<unknown>, path: string): Origin {
  const line = item.lineOf(path);
  return line === undefined ? item.origin : { ...item.origin, line };
}

/** Oldest first, then by namespace and name: the order in which rivals are considered. */
export function byAge(a: Sourced<unknown>, b: Sourced<unknown>): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  const [left, right] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
