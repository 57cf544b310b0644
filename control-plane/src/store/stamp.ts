// Metadata that the store gives to objects: uid, generation, creation time, version.

import { isDeepStrictEqual } from 'node:util';
import type { AnyResource } from '@weft/api/resource/kind';
import type { Metadata } from '@weft/api/resource/metadata';

/** What an object becomes when it replaces another. */
export interface Stamp {
  readonly uid: string;
  readonly creationTimestamp: string;
  readonly revision: number;
}

/** Fields of the metadata that clients do not decide. */
const serverFields = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'selfLink',
  'managedFields',
];

/** The object with the server's metadata; `previous` is what it replaces. Generation counts changes of meaning, not of metadata or status. */
export function stampObject(object: AnyResource, previous: AnyResource | null, stamp: Stamp): AnyResource {
  const own = Object.entries(object.metadata).filter(([key]) => !serverFields.includes(key));
  const generation =
    previous === null ? 1 : (previous.metadata.generation ?? 1) + (isSameMeaning(object, previous) ? 0 : 1);
  const metadata = {
    ...(Object.fromEntries(own) as unknown as Metadata),
    uid: previous?.metadata.uid ?? stamp.uid,
    creationTimestamp: previous?.metadata.creationTimestamp ?? stamp.creationTimestamp,
    generation,
    resourceVersion: String(stamp.revision),
  };
  return deepFreeze({ ...object, metadata });
}

/** Whether nothing but the server's own metadata differs. */
export function isSameObject(a: AnyResource, b: AnyResource): boolean {
  return isDeepStrictEqual(clientPart(a), clientPart(b));
}

/** What clients write for themselves when they apply a text; it is no part of what a person wants. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Whether both say the same: metadata that clients and server add, and the status, aside. */
export function isSameWish(a: AnyResource, b: AnyResource): boolean {
  return isDeepStrictEqual(wish(a), wish(b));
}

function wish({ status: _, ...object }: AnyResource): object {
  const { labels = {}, annotations = {}, ...rest } = object.metadata;
  const { [lastApplied]: __, ...notes } = annotations;
  const own = Object.entries(rest).filter(([key]) => !serverFields.includes(key));
  return { ...object, metadata: { ...Object.fromEntries(own), labels, annotations: notes } };
}

/** The object with the status that another one has, or its own where that has none. */
export function withStatusOf(object: AnyResource, other: AnyResource | null): AnyResource {
  return other?.status === undefined ? object : ({ ...object, status: other.status } as AnyResource);
}

function clientPart(object: AnyResource): object {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => !serverFields.includes(key)));
  return { ...object, metadata };
}

function isSameMeaning(a: AnyResource, b: AnyResource): boolean {
  const { metadata: _a, status: _as, ...left } = a;
  const { metadata: _b, status: _bs, ...right } = b;
  return isDeepStrictEqual(left, right);
}

/** The object of a deletion: the last state under a new version. */
export function withVersion(object: AnyResource, revision: number): AnyResource {
  return deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } } as AnyResource);
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
