// One stream of one proxy: its subscriptions, the snapshot it is to have, and the order in which it is told.
// A change is made before the old is broken: clusters and endpoints that are no longer wanted stay until the client has accepted
// the listeners and routes that do without them.

import type { ProxyNode } from '../translate/proxy-node.ts';
import type { ConfigSnapshot } from '../translate/snapshot.ts';
import type { DiscoveryMessage, DiscoveryProtocol } from './discovery-protocol.ts';
import { type EncodedSet, type EncodedSnapshot, emptySet, emptySnapshot } from './encoded.ts';
import { pushOrder, type ResourceType, resourceTypeOf } from './resource-type.ts';
import { Subscription } from './subscription.ts';

/** Names that one client may ask for over all types; more is an attack or a defect. */
const maxNames = 200_000;
/** Characters of those names, and of the versions that come with them. */
const maxChars = 16 * 1024 * 1024;
const maxOtherTypes = 32;
const maxTypeLength = 512;

/** What the mesh made for this proxy, with what it was made from. */
export interface SessionSnapshot {
  readonly revision: number;
  readonly configRevision: number;
  readonly config: ConfigSnapshot;
  readonly encoded: EncodedSnapshot;
}

export class ProxySession {
  readonly node: ProxyNode;
  readonly protocol: DiscoveryProtocol;
  private readonly write: (bytes: Uint8Array) => void;
  private readonly nextNonce: () => string;
  private readonly subscriptions: Map<ResourceType, Subscription> = new Map();
  private readonly otherTypes: Set<string> = new Set();
  private held: Pick<EncodedSnapshot, 'cds' | 'eds'> = { cds: emptySet, eds: emptySet };
  /** Between a change and the moment when its removals may be told. */
  private isSettling = true;
  snapshot: SessionSnapshot | null = null;
  /** Why the newest mesh could not be made into a snapshot. */
  problem: string | null = null;

  constructor(
    node: ProxyNode,
    protocol: DiscoveryProtocol,
    write: (bytes: Uint8Array) => void,
    nextNonce: () => string,
  ) {
    this.node = node;
    this.protocol = protocol;
    this.write = write;
    this.nextNonce = nextNonce;
  }

  /** Takes a new snapshot and tells the client what it may be told now. */
  update(snapshot: SessionSnapshot): void {
    const before = this.snapshot?.encoded ?? emptySnapshot;
    this.held = {
      cds: withoutNames(union(this.held.cds, before.cds), snapshot.encoded.cds),
      eds: withoutNames(union(this.held.eds, before.eds), snapshot.encoded.eds),
    };
    this.snapshot = snapshot;
    this.problem = null;
    this.isSettling = true;
    this.push();
  }

  /** A request of the client. Returns a reason to end the stream, or null. */
  receive(message: DiscoveryMessage): string | null {
    const type = resourceTypeOf(message.typeUrl);
    if (type === null) return this.receiveOther(message);
    const known = this.subscriptions.get(type);
    const subscription = known ?? new Subscription(type, this.protocol.name === 'sotw');
    if (known === undefined) this.subscriptions.set(type, subscription);
    // An answer to a response that is not the last one says nothing about now.
    const isStale =
      message.nonce !== '' && known !== undefined && known.isWaiting && !known.settle(message.nonce, message.error);
    if (isStale && this.protocol.name === 'sotw') return null;
    if (message.nonce !== '' && message.error === null) subscription.settleLate(message.nonce, message.version);
    message.applyTo(subscription, known === undefined);
    if (this.nameCount() > maxNames) return `more than ${maxNames} resource names are asked for`;
    if (this.chars > maxChars) return `resource names of more than ${maxChars} characters are asked for`;
    this.push();
    return null;
  }

  /** Types that are not served are answered once, with nothing, so that the client does not wait. */
  private receiveOther({ typeUrl, nonce }: DiscoveryMessage): string | null {
    if (nonce !== '' || this.otherTypes.has(typeUrl)) return null;
    if (typeUrl.length > maxTypeLength) return `a type has a name of more than ${maxTypeLength} characters`;
    if (this.otherTypes.size >= maxOtherTypes) return `more than ${maxOtherTypes} unknown types are asked for`;
    this.otherTypes.add(typeUrl);
    this.write(this.protocol.encodeEmpty(typeUrl, this.snapshot?.revision ?? 0, this.nextNonce()));
    return null;
  }

  /** Characters of what the client said and that is kept for it. */
  get chars(): number {
    let chars = 0;
    for (const subscription of this.subscriptions.values()) chars += subscription.chars;
    return chars;
  }

  private nameCount(): number {
    let count = 0;
    for (const subscription of this.subscriptions.values()) count += subscription.size;
    return count;
  }

  private push(): void {
    const { snapshot } = this;
    if (snapshot === null) return;
    for (const type of pushOrder) this.pushType(type, snapshot);
    if (!this.isSettling || !this.hasAcceptedUsers(snapshot.revision)) return;
    this.isSettling = false;
    this.held = { cds: emptySet, eds: emptySet };
    for (const type of pushOrder) this.pushType(type, snapshot);
  }

  private pushType(type: ResourceType, { encoded, revision }: SessionSnapshot): void {
    const subscription = this.subscriptions.get(type);
    if (subscription === undefined) return;
    const mayRemove = !this.isSettling || (type !== 'cds' && type !== 'eds');
    const held = type === 'cds' ? this.held.cds : type === 'eds' ? this.held.eds : emptySet;
    const update = subscription.plan(union(held, encoded[type]), revision, mayRemove);
    if (update === null) return;
    // A replaced cluster waits for endpoints, even for the same ones.
    if (type === 'cds') {
      const replaced = update.changed.filter(({ name }) => subscription.hasName(name)).map(({ name }) => name);
      this.subscriptions.get('eds')?.forget(replaced);
    }
    const nonce = this.nextNonce();
    const bytes = this.protocol.encode(type, update, revision, nonce);
    subscription.sent(nonce, update, revision);
    this.write(bytes);
  }

  /**
   * Whether listeners and routes of the revision are accepted. A client that asks for no listeners, not even after its clusters,
   * has nothing that could use what is removed.
   */
  private hasAcceptedUsers(revision: number): boolean {
    const listeners = this.subscriptions.get('lds');
    const routes = this.subscriptions.get('rds');
    if (listeners === undefined && this.subscriptions.get('cds')?.isWaiting !== false) return false;
    return [listeners, routes].every((each) => each === undefined || each.ackedRevision >= revision);
  }

  /** Per type that the client asked for: what it is to have, what it has accepted, and its last refusal. */
  *types(): IterableIterator<Subscription> {
    for (const type of pushOrder) {
      const subscription = this.subscriptions.get(type);
      if (subscription !== undefined) yield subscription;
    }
  }

  /** Whether the client has accepted everything of the revision, removals included. */
  isInSync(revision: number): boolean {
    if (this.snapshot === null || this.snapshot.revision < revision || this.isSettling) return false;
    if (!this.subscriptions.has('cds') && !this.subscriptions.has('lds')) return false;
    for (const subscription of this.subscriptions.values()) {
      if (subscription.isWaiting || subscription.rejection !== null || subscription.ackedRevision < revision)
        return false;
    }
    return true;
  }
}

/** Both; where they differ, `over`. */
function union(under: EncodedSet, over: EncodedSet): EncodedSet {
  return under.size === 0 ? over : new Map([...under, ...over]);
}

function withoutNames(set: EncodedSet, names: EncodedSet): EncodedSet {
  const left = [...set].filter(([name]) => !names.has(name));
  return left.length === 0 ? emptySet : new Map(left);
}
