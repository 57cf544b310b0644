// An immutable version of everything that is configured: what the model is built from.

import type { KindName, ResourceKinds } from '@weft/api/resource/kind';
import type { Origin } from '@weft/lib/issue';

/** Line (1-based) of each field by its dotted path, such as `spec.http[0].timeout`; a field that is absent has its parent's line. */
export type FieldLines = Readonly<Record<string, number>>;

/** Where a resource was written down, when that is known. */
export interface Positions {
  readonly file: string;
  /** First line of the resource. */
  readonly line: number;
  readonly fields: FieldLines;
}

/** One resource of the world. `object` is frozen, of the storage version, and without null fields. */
export interface StoredResource<K extends KindName = KindName> {
  readonly object: ResourceKinds[K];
  readonly origin: Origin;
  /** Whether a file or a client of the mesh API said so last. */
  readonly layer: 'file' | 'api';
  readonly positions: Positions | null;
}

/** An immutable version of all resources. Equal revisions are the same world. */
export interface World {
  /** Goes up with every change; survives a restart when the store is on disk. */
  readonly revision: number;
  /** All resources of a kind, ordered by namespace and name. */
  list<K extends KindName>(kind: K): readonly StoredResource<K>[];
  /** One resource; `namespace` is empty for kinds without one. */
  get<K extends KindName>(kind: K, namespace: string, name: string): StoredResource<K> | null;
}

/** Resources by kind, and within a kind by `namespace/name`. */
export type WorldContent = { readonly [K in KindName]?: ReadonlyMap<string, StoredResource<K>> };

const none: ReadonlyMap<string, never> = new Map<string, never>();

class IndexedWorld implements World {
  readonly revision: number;
  private readonly content: WorldContent;
  private readonly sorted: Map<KindName, readonly StoredResource[]> = new Map();

  constructor(revision: number, content: WorldContent) {
    this.revision = revision;
    this.content = content;
  }

  list<K extends KindName>(kind: K): readonly StoredResource<K>[] {
    const known = this.sorted.get(kind);
    if (known !== undefined) return known as unknown as readonly StoredResource<K>[];
    const made = [...this.ofKind(kind).entries()].sort(byKey).map(([, resource]) => resource);
    this.sorted.set(kind, made as unknown as readonly StoredResource[]);
    return made;
  }

  get<K extends KindName>(kind: K, namespace: string, name: string): StoredResource<K> | null {
    return this.ofKind(kind).get(`${namespace}/${name}`) ?? null;
  }

  private ofKind<K extends KindName>(kind: K): ReadonlyMap<string, StoredResource<K>> {
    return this.content[kind] ?? none;
  }
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}

/** A world of the given content, which must not change afterwards. */
export function createWorld(revision: number, content: WorldContent): World {
  return new IndexedWorld(revision, content);
}

/** A world of plain objects, for tests and for tools that have no store. Metadata is taken as it is. */
export function worldOf(objects: readonly ResourceKinds[KindName][], revision = 1): World {
  const content: Partial<Record<KindName, Map<string, StoredResource>>> = {};
  for (const object of objects) {
    const { name, namespace = '' } = object.metadata;
    const origin = { kind: object.kind, namespace, name };
    const ofKind = (content[object.kind] ??= new Map());
    ofKind.set(`${namespace}/${name}`, { object, origin, layer: 'file', positions: null });
  }
  return createWorld(revision, content as WorldContent);
}
