// The store of all resources: list, get, put, delete, watch; files below, writes of the API above; worlds out.

import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type AnyResource, type KindName, kindInfo } from '@weft/api/resource/kind';
import type { Clock } from '@weft/lib/clock';
import type { ParsedResource } from '../resource/parse-resource.ts';
import { History, type StoreEvent } from './history.ts';
import type { Layer, Persistence, RecordChange } from './persistence.ts';
import { isSameObject, isSameWish, stampObject, withStatusOf, withVersion } from './stamp.ts';
import { createWorld, type Positions, type StoredResource, type World, type WorldContent } from './world.ts';
import { type PublishDelay, type WorldListener, WorldPublisher } from './world-publisher.ts';

/** How a store works. */
export interface StoreOptions {
  readonly persistence: Persistence;
  readonly clock: Clock;
  /** Gathering of changes into worlds; 100 ms of quiet and 10 s at most unless said otherwise. */
  readonly delay?: PublishDelay;
  /** Events kept for watchers that come back; 10,000 unless said otherwise. */
  readonly historyLimit?: number;
}

/** One write. `expect` is what the writer has seen: a version, `absent`, or nothing in particular. */
export interface PutRequest {
  readonly kind: KindName;
  readonly object: AnyResource;
  readonly positions: Positions | null;
  readonly expect?: { readonly version: string } | 'absent';
}

export type PutResult =
  | { readonly type: 'created' | 'updated' | 'unchanged'; readonly resource: StoredResource }
  /** Somebody else wrote in between, or what should be absent exists. */
  | { readonly type: 'conflict'; readonly resource: StoredResource | null };

export type DeleteResult =
  /** `restored` is the file's resource that shows again. */
  | { readonly type: 'deleted'; readonly resource: StoredResource; readonly restored: StoredResource | null }
  | { readonly type: 'missing' }
  | { readonly type: 'conflict'; readonly resource: StoredResource }
  /** Only a file says so, and files are changed where they are. */
  | { readonly type: 'in-file'; readonly resource: StoredResource };

/** A running watch. */
export interface StoreWatch {
  close(): void;
}

type Records = Map<KindName, Map<string, StoredResource>>;

/** Resources by layer, their history and the worlds they make. Values it gives out are frozen. */
export class ResourceStore {
  private readonly persistence: Persistence;
  private readonly clock: Clock;
  private readonly layers: Readonly<Record<Layer, Records>> = { file: new Map(), api: new Map() };
  private readonly effective: Records = new Map();
  private readonly history: History;
  private readonly watchers: Set<(event: StoreEvent) => void> = new Set();
  private readonly publisher: WorldPublisher;
  private readonly content: { -readonly [K in KindName]?: ReadonlyMap<string, StoredResource> } = {};
  private readonly dirty: Set<KindName> = new Set();
  private latest: World | null = null;
  private lastRevision: number;

  constructor(options: StoreOptions) {
    this.persistence = options.persistence;
    this.clock = options.clock;
    const { revision, records } = options.persistence.load();
    this.lastRevision = revision;
    this.history = new History(options.historyLimit ?? 10_000, revision);
    this.publisher = new WorldPublisher(
      options.clock,
      options.delay ?? { quietMs: 100, maxWaitMs: 10_000 },
      () => this.world,
    );
    for (const { kind, resource } of records) this.remember(kind, resource.layer, resource);
  }

  /** The revision of the last change. */
  get revision(): number {
    return this.lastRevision;
  }

  /** The world as it is now, whether it was published or not. */
  get world(): World {
    if (this.latest !== null) return this.latest;
    for (const kind of this.dirty) this.content[kind] = new Map(this.effective.get(kind));
    this.dirty.clear();
    // Each kind's map holds resources of that kind only, which the type of one map for all cannot say.
    this.latest = createWorld(this.lastRevision, { ...this.content } as WorldContent);
    return this.latest;
  }

  /** Calls the listener with every world from now on, gathered as the options say; gives back how to stop. */
  onWorld(listener: WorldListener): () => void {
    return this.publisher.subscribe(listener);
  }

  /** Publishes at once what is being gathered. */
  flush(): void {
    this.publisher.flush();
  }

  /** All resources of a kind, ordered by namespace and name, and the version of this state. */
  list<K extends KindName>(kind: K): { readonly items: readonly StoredResource<K>[]; readonly version: string } {
    return { items: this.world.list(kind), version: String(this.lastRevision) };
  }

  get<K extends KindName>(kind: K, namespace: string, name: string): StoredResource<K> | null {
    // Each kind's map holds resources of that kind only. Not by way of the world, which is made anew after each change.
    return (this.effective.get(kind)?.get(keyOf(namespace, name)) ?? null) as StoredResource<K> | null;
  }

  /** The file's resource below an API write of the same name; null when there is none. */
  fileBelow(kind: KindName, namespace: string, name: string): StoredResource | null {
    return this.layers.file.get(kind)?.get(keyOf(namespace, name)) ?? null;
  }

  /** The file layer as it was given or kept. */
  fileResources(): readonly ParsedResource[] {
    return [...this.layers.file].flatMap(([kind, records]) =>
      [...records.values()].map(({ object, positions }) => {
        const { name, namespace = '' } = object.metadata;
        return { info: kindInfo(kind), namespace, name, object, positions };
      }),
    );
  }

  /** Every resource that the API says and a file too, for `diff`. */
  overlays(): readonly { readonly kind: KindName; readonly file: StoredResource; readonly api: StoredResource }[] {
    return [...this.layers.api].flatMap(([kind, records]) =>
      [...records].flatMap(([key, api]) => {
        const file = this.layers.file.get(kind)?.get(key);
        return file === undefined ? [] : [{ kind, file, api }];
      }),
    );
  }

  /** Writes one resource into the API's layer. Resolves when it is kept. */
  async put(request: PutRequest): Promise<PutResult> {
    const { kind, object, expect } = request;
    const { name, namespace = '' } = object.metadata;
    const current = this.get(kind, namespace, name);
    if (expect === 'absent' && current !== null) return { type: 'conflict', resource: current };
    if (typeof expect === 'object' && current?.object.metadata.resourceVersion !== expect.version) {
      return { type: 'conflict', resource: current };
    }
    const below = this.fileBelow(kind, namespace, name);
    if (current !== null && below !== null && isSameWish(object, below.object))
      return this.putIntoFile(request, current, below);
    const isSame = current !== null && current.layer === 'api' && isSameObject(object, current.object);
    if (isSame && isDeepStrictEqual(request.positions, current.positions))
      return { type: 'unchanged', resource: current };
    const resource = this.stamp(object, current, 'api', request.positions, this.lastRevision + 1);
    this.commit(kind, [{ layer: 'api', resource, key: keyOf(namespace, name) }]);
    return { type: current === null ? 'created' : 'updated', resource };
  }

  /** A write that wants what the file says: it makes no overlay and ends one; a status is kept beside the file's text. */
  private putIntoFile({ kind, object }: PutRequest, current: StoredResource, below: StoredResource): PutResult {
    const { name, namespace = '' } = object.metadata;
    const key = keyOf(namespace, name);
    const wanted = withStatusOf(below.object, object);
    const isOverlaid = current.layer === 'api';
    if (!isOverlaid && isSameObject(wanted, current.object)) return { type: 'unchanged', resource: current };
    const revision = this.lastRevision + (isOverlaid ? 2 : 1);
    const resource = this.stamp(wanted, current, 'file', below.positions, revision);
    const change: Change = { layer: 'file', key, resource };
    this.commit(kind, isOverlaid ? [change, { layer: 'api', key, resource: null }] : [change]);
    return { type: 'updated', resource };
  }

  /** Deletes from the API's layer; a file's resource of the same name shows again. */
  async delete(kind: KindName, namespace: string, name: string, version?: string): Promise<DeleteResult> {
    const current = this.get(kind, namespace, name);
    if (current === null) return { type: 'missing' };
    if (version !== undefined && current.object.metadata.resourceVersion !== version)
      return { type: 'conflict', resource: current };
    if (current.layer === 'file') return { type: 'in-file', resource: current };
    const key = keyOf(namespace, name);
    const below = this.fileBelow(kind, namespace, name);
    const removal: Change = { layer: 'api', key, resource: null };
    if (below === null) {
      this.commit(kind, [removal]);
      const gone = { ...current, object: withVersion(current.object, this.lastRevision) } as StoredResource;
      return { type: 'deleted', resource: gone, restored: null };
    }
    const restored = this.stamp(below.object, reborn(below), 'file', below.positions, this.lastRevision + 3);
    this.commit(kind, [{ layer: 'file', key, resource: null }, removal, { layer: 'file', key, resource: restored }]);
    return { type: 'deleted', resource: current, restored };
  }

  /** Makes the file layer exactly these resources. Unchanged ones keep their version. */
  replaceFiles(resources: readonly ParsedResource[]): void {
    const wanted = new Map<KindName, Map<string, ParsedResource>>();
    for (const resource of resources) {
      const ofKind = wanted.get(resource.info.id) ?? new Map<string, ParsedResource>();
      wanted.set(resource.info.id, ofKind.set(keyOf(resource.namespace, resource.name), resource));
    }
    for (const kind of new Set([...this.layers.file.keys(), ...wanted.keys()]))
      this.replaceKind(kind, wanted.get(kind) ?? new Map());
  }

  /**
   * Tells of every change after `version`, the past ones at once. `version` undefined means from now on. Null when the version is
   * too old to be told, so that the caller has to list again.
   */
  watch(version: string | undefined, listener: (event: StoreEvent) => void): StoreWatch | null {
    const past = version === undefined ? [] : this.since(version);
    if (past === null) return null;
    for (const event of past) listener(event);
    this.watchers.add(listener);
    return { close: () => this.watchers.delete(listener) };
  }

  /** Whether a watch could begin at a version. */
  canWatch(version: string): boolean {
    return this.since(version) !== null;
  }

  private since(version: string): readonly StoreEvent[] | null {
    const from = /^\d{1,15}$/.test(version) ? Number(version) : Number.POSITIVE_INFINITY;
    return from > this.lastRevision ? null : this.history.since(from);
  }

  /** Publishes nothing any more and closes the persistence. */
  close(): void {
    this.publisher.close();
    this.watchers.clear();
    this.persistence.close();
  }

  private replaceKind(kind: KindName, wanted: ReadonlyMap<string, ParsedResource>): void {
    const records = this.layers.file.get(kind) ?? new Map<string, StoredResource>();
    const changes: Change[] = [];
    for (const key of records.keys()) if (!wanted.has(key)) changes.push({ layer: 'file', key, resource: null });
    for (const [key, parsed] of wanted) changes.push(...this.fileChanges(kind, key, parsed, changes.length));
    if (changes.length > 0) this.commit(kind, changes);
  }

  private fileChanges(kind: KindName, key: string, parsed: ParsedResource, before: number): readonly Change[] {
    const { positions } = parsed;
    const known = this.layers.file.get(kind)?.get(key) ?? null;
    const api = this.layers.api.get(kind)?.get(key) ?? null;
    // The file says by now what the API was told: nothing is left for an overlay to say.
    const endsOverlay = api !== null && isSameWish(parsed.object, api.object);
    const revision = this.lastRevision + 1 + before;
    if (endsOverlay) {
      const resource = this.stamp(withStatusOf(parsed.object, api.object), api, 'file', positions, revision + 1);
      return [
        { layer: 'file', key, resource },
        { layer: 'api', key, resource: null },
      ];
    }
    // A status that a client wrote is no part of the file, and stays when the file changes.
    const wanted =
      parsed.object.status === undefined ? withStatusOf(parsed.object, known?.object ?? null) : parsed.object;
    if (known !== null && isSameObject(known.object, wanted) && isDeepStrictEqual(known.positions, positions))
      return [];
    // An API write that the file now comes below lends its identity, so that the object stays one and the same.
    return [{ layer: 'file', key, resource: this.stamp(wanted, known ?? api, 'file', positions, revision) }];
  }

  private stamp(
    object: AnyResource,
    previous: StoredResource | null,
    layer: Layer,
    positions: Positions | null,
    revision: number,
  ): StoredResource {
    const creationTimestamp = new Date(Math.floor(this.clock.wallMs() / 1000) * 1000)
      .toISOString()
      .replace('.000Z', 'Z');
    const stamped = stampObject(object, previous?.object ?? null, { uid: randomUUID(), creationTimestamp, revision });
    const { name, namespace = '', generation = 1 } = stamped.metadata;
    const place = positions === null ? {} : { file: positions.file, line: positions.line };
    return {
      object: stamped,
      origin: { kind: stamped.kind, namespace, name, generation, ...place },
      layer,
      positions,
    } as StoredResource;
  }

  /** Keeps the changes, then shows them. Each change of what is in effect has a revision of its own. */
  private commit(kind: KindName, changes: readonly Change[]): void {
    const lastRevision = this.lastRevision + changes.length;
    this.persistence.write(
      lastRevision,
      changes.map((change) => recordChange(kind, change)),
    );
    for (const change of changes) {
      this.lastRevision++;
      this.apply(kind, change);
    }
    this.publisher.changed();
  }

  private apply(kind: KindName, change: Change): void {
    const before = this.effective.get(kind)?.get(change.key) ?? null;
    const records = this.layers[change.layer].get(kind);
    if (change.resource === null) records?.delete(change.key);
    else this.remember(kind, change.layer, change.resource);
    this.settle(kind, change.key);
    const after = this.effective.get(kind)?.get(change.key) ?? null;
    this.latest = null;
    if (before === after) return;
    const event = this.eventOf(kind, before, after);
    this.history.add(event);
    for (const watcher of [...this.watchers]) watcher(event);
  }

  private eventOf(kind: KindName, before: StoredResource | null, after: StoredResource | null): StoreEvent {
    const revision = this.lastRevision;
    if (after !== null) return { type: before === null ? 'ADDED' : 'MODIFIED', kind, resource: after, revision };
    const object = before === null ? null : withVersion(before.object, revision);
    return { type: 'DELETED', kind, resource: { ...before, object } as StoredResource, revision };
  }

  private remember(kind: KindName, layer: Layer, resource: StoredResource): void {
    const { name, namespace = '' } = resource.object.metadata;
    const key = keyOf(namespace, name);
    const records = this.layers[layer].get(kind) ?? new Map<string, StoredResource>();
    this.layers[layer].set(kind, records.set(key, resource));
    this.settle(kind, key);
  }

  /** The API's layer lies above the files'. */
  private settle(kind: KindName, key: string): void {
    const resource = this.layers.api.get(kind)?.get(key) ?? this.layers.file.get(kind)?.get(key);
    const records = this.effective.get(kind) ?? new Map<string, StoredResource>();
    this.effective.set(kind, records);
    if (resource === undefined) records.delete(key);
    else records.set(key, resource);
    this.dirty.add(kind);
  }
}

/**
 * What shows again is another object than the one deleted, with a uid of its own: who waits for the deletion sees it happen. It is as
 * old as the file's was, for the oldest of several policies counts, and a deletion above a file must not change which one that is.
 */
function reborn(below: StoredResource): StoredResource {
  const metadata = { ...below.object.metadata, uid: randomUUID(), generation: 1 };
  return { ...below, object: { ...below.object, metadata } } as StoredResource;
}

interface Change {
  readonly layer: Layer;
  readonly key: string;
  readonly resource: StoredResource | null;
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function recordChange(kind: KindName, change: Change): RecordChange {
  const slash = change.key.indexOf('/');
  const key = { layer: change.layer, kind, namespace: change.key.slice(0, slash), name: change.key.slice(slash + 1) };
  return { key, resource: change.resource };
}
