// What one stream is interested in of one type, what it has, and what it was sent but has not answered: at most one response at a
// time. A client that does not answer costs one response of memory; what changes meanwhile is made up for when it does.

import { type EncodedResource, type EncodedSet, emptySet } from './encoded.ts';
import { isWildcardType, type ResourceType } from './resource-type.ts';

/** The client's own: it makes these secrets itself, and silence is the right answer where we have nothing. */
const localSecrets: ReadonlySet<string> = new Set(['default', 'ROOTCA']);

/** The version of what the client has in one version or another, or not at all; no content has it. */
const inDoubt = '';

/** A refusal, with the client's words. */
export interface Rejection {
  readonly revision: number;
  readonly message: string;
}

/** What is to be sent. */
export interface Update {
  /** Changed and new resources. */
  readonly changed: readonly EncodedResource[];
  /** Names that the client has, or asked for, and that are no more. */
  readonly removed: readonly string[];
  /** All that the client is to have, for the state-of-the-world protocol. */
  readonly target: EncodedSet;
}

interface Pending {
  readonly nonce: string;
  /** As it was sent. */
  readonly version: string;
  revision: number;
  /** Content versions by name once it is accepted. */
  readonly versions: ReadonlyMap<string, string>;
  /** Names that the client has no more once it is accepted. */
  readonly removed: readonly string[];
}

export class Subscription {
  readonly type: ResourceType;
  /** A response says all there is: what it leaves out is gone (state of the world). */
  private readonly saysAll: boolean;
  private isWildcard = false;
  private readonly names: Set<string> = new Set();
  private nameChars = 0;
  private versionChars = 0;
  /** Content versions that the client has accepted, or `inDoubt`, by name. */
  private acked: Map<string, string> = new Map();
  private pending: Pending | null = null;
  /** The last update, if it was refused. */
  private refused: Pending | null = null;
  /** Names that were asked for and do not exist: told once. */
  private readonly unanswered: Set<string> = new Set();
  /** Names to be sent again once the answer awaited is here. */
  private readonly forgotten: Set<string> = new Set();
  private mustAnswer = true;
  ackedRevision = 0;
  wantedRevision = 0;
  rejection: Rejection | null = null;

  constructor(type: ResourceType, saysAll = false) {
    this.type = type;
    this.saysAll = saysAll;
  }

  get isWaiting(): boolean {
    return this.pending !== null;
  }

  /** Names that are kept for the client: asked for, or said to be there already. */
  get size(): number {
    return Math.max(this.names.size, this.acked.size);
  }

  /** Characters of what the client said and that is kept for it. */
  get chars(): number {
    return this.nameChars + this.versionChars;
  }

  /** State of the world: the client names all it wants; none at first means everything. */
  setNames(names: readonly string[]): void {
    if (names.includes('*') || (names.length === 0 && this.names.size === 0))
      this.isWildcard = isWildcardType(this.type);
    const wanted = new Set(names);
    this.isWildcard &&= wanted.size === 0 || wanted.has('*');
    this.names.clear();
    this.nameChars = 0;
    for (const name of wanted) if (name !== '*') this.addName(name);
    if (this.isWildcard) return;
    for (const name of [...this.acked.keys()]) if (!this.names.has(name)) this.acked.delete(name);
  }

  /** Incremental: what a reconnecting client already has. */
  setVersions(versions: Readonly<Record<string, string>>): void {
    this.acked = new Map(Object.entries(versions));
    this.versionChars = 0;
    for (const [name, version] of this.acked) this.versionChars += name.length + version.length;
  }

  private addName(name: string): void {
    if (this.names.has(name)) return;
    this.names.add(name);
    this.nameChars += name.length;
  }

  /** Incremental. The first request of a type without names means everything. Asking again for a name asks for its resource again. */
  subscribe(names: readonly string[], isFirst: boolean): void {
    if (names.includes('*') || (isFirst && names.length === 0)) this.isWildcard = isWildcardType(this.type);
    for (const name of names) {
      if (name === '*') continue;
      if (!isFirst) this.acked.delete(name);
      this.addName(name);
      this.unanswered.add(name);
    }
  }

  unsubscribe(names: readonly string[]): void {
    for (const name of names) {
      if (name === '*') this.isWildcard = false;
      if (this.names.delete(name)) this.nameChars -= name.length;
      this.unanswered.delete(name);
      if (!this.isWildcard) this.acked.delete(name);
    }
  }

  /** Sends these again even if unchanged: a cluster that was replaced waits for its endpoints. */
  forget(names: Iterable<string>): void {
    for (const name of names) {
      this.acked.delete(name);
      if (this.pending !== null) this.forgotten.add(name);
    }
  }

  /** Whether the client has, or will have, that resource. */
  hasName(name: string): boolean {
    return this.acked.has(name) || (this.pending?.versions.has(name) ?? false);
  }

  /** What to send now for the set of a revision; null when there is nothing, or an answer is awaited. */
  plan(all: EncodedSet, revision: number, mayRemove: boolean): Update | null {
    this.wantedRevision = revision;
    if (this.pending !== null) {
      // Same content, newer revision: the answer awaited stands for both.
      if (isSame(this.pending.versions, this.targetOf(all))) this.pending.revision = revision;
      return null;
    }
    const target = this.targetOf(all);
    const changed = [...target.values()].filter(({ name, version }) => this.acked.get(name) !== version);
    const removed = mayRemove ? this.removedFrom(target) : [];
    if ((changed.length === 0 && removed.length === 0 && !this.mustAnswer) || this.isSilent(target)) {
      this.rejection = null;
      this.refused = null;
      this.ackedRevision = revision;
      return null;
    }
    if (this.isRefused(target, removed)) return null;
    return { changed, removed, target };
  }

  /** Whether the client refused just this, removals and all. */
  private isRefused(target: EncodedSet, removed: readonly string[]): boolean {
    const { refused } = this;
    if (refused === null || !isSame(refused.versions, target)) return false;
    return removed.every((name) => refused.removed.includes(name));
  }

  private targetOf(all: EncodedSet): EncodedSet {
    if (this.isWildcard) return all;
    if (this.names.size === 0) return emptySet;
    const target = new Map<string, EncodedResource>();
    for (const name of this.names) {
      const resource = all.get(name);
      if (resource !== undefined) target.set(name, resource);
    }
    return target;
  }

  private removedFrom(target: EncodedSet): string[] {
    const removed = [...this.acked.keys()].filter((name) => !target.has(name));
    for (const name of this.unanswered) if (!target.has(name) && !this.acked.has(name)) removed.push(name);
    return this.type === 'sds' ? removed.filter((name) => !localSecrets.has(name)) : removed;
  }

  /** Nothing is said about secrets while none of those asked for is here. */
  private isSilent(target: EncodedSet): boolean {
    return this.type === 'sds' && target.size === 0 && this.acked.size === 0;
  }

  /** The update was sent. */
  sent(nonce: string, { target, removed }: Update, revision: number): void {
    const versions = new Map([...target].map(([name, { version }]) => [name, version]));
    const leftOut = [...this.acked.keys()].filter((name) => !target.has(name));
    const gone = this.saysAll && this.isWildcard ? leftOut : removed;
    this.pending = { nonce, version: String(revision), revision, versions, removed: gone };
    this.mustAnswer = false;
    this.unanswered.clear();
  }

  /** The client's answer. Returns false when the nonce is not the one awaited. */
  settle(nonce: string, error: string | null): boolean {
    const { pending } = this;
    if (pending === null || pending.nonce !== nonce) return false;
    this.pending = null;
    if (error !== null) {
      this.rejection = { revision: pending.revision, message: error };
      this.refused = pending;
      this.doubt(pending);
      return true;
    }
    this.accept(pending);
    return true;
  }

  // A client that refuses an update has made the parts of it in which it found no fault, removals among them, or nothing of it.
  private doubt({ versions, removed }: Pending): void {
    for (const [name, version] of versions) if (this.acked.get(name) !== version) this.acked.set(name, inDoubt);
    for (const name of removed) this.acked.set(name, inDoubt);
  }

  /** What the client refused, because a port was taken for one, it may have made later. */
  settleLate(nonce: string, version: string | null): void {
    const { refused } = this;
    if (this.pending !== null || refused?.nonce !== nonce) return;
    if (version === null || version === refused.version) this.accept(refused);
  }

  private accept(pending: Pending): void {
    // What it has and was not told of, it still has: removals may come later.
    this.acked = new Map([...this.acked, ...pending.versions]);
    for (const name of pending.removed) this.acked.delete(name);
    this.forget(this.forgotten);
    this.forgotten.clear();
    for (const name of this.acked.keys()) if (!this.isWildcard && !this.names.has(name)) this.acked.delete(name);
    this.ackedRevision = pending.revision;
    this.rejection = null;
    this.refused = null;
  }
}

function isSame(versions: ReadonlyMap<string, string>, target: EncodedSet): boolean {
  if (versions.size !== target.size) return false;
  for (const [name, { version }] of target) if (versions.get(name) !== version) return false;
  return true;
}
