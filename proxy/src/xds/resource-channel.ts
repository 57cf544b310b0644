// One kind of resource: what is wanted, what was accepted last, what was refused. Decodes, checks and hands over updates as a whole.
import type { google } from '@weft/api/xds/types';
import type { Clock, Timer } from '@weft/lib/clock';
import { hasErrors, type Issue } from '@weft/lib/issue';
import type { Scope } from '@weft/lib/metrics';
import { decodeMessage, ProtobufError, typeNameOf } from '@weft/lib/protobuf/codec';
import { decodeLayout } from '@weft/lib/protobuf/decode';
import { durationMs } from '@weft/lib/protobuf/duration';
import { isMessageObject } from '@weft/lib/protobuf/message-form';
import { layoutOf } from '@weft/lib/protobuf/schema';
import { checkSupport } from '../bootstrap/support.ts';
import type { KindSpec } from './resource-kind.ts';
import type { PreparedUpdate, ResourceTarget } from './target.ts';

type Any = google.protobuf.Any;

/** A resource as it came in a response. `name` and `version` are empty in state-of-the-world responses. */
export interface ReceivedResource {
  readonly name: string;
  readonly version: string;
  readonly resource: Any;
  /** A time to live was asked for, in milliseconds; 0 for none. */
  readonly ttlMs: number;
}

export interface ReceivedUpdate {
  readonly version: string;
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
  /** A wildcard resource that is not in it is gone. */
  readonly isFull: boolean;
}

/** The version in force of one resource. */
export interface AcceptedResource {
  readonly resource: Any;
  readonly version: string;
  readonly updatedWallMs: number;
}

/** An update, or one resource's part in it, that was refused. */
export interface Refusal {
  readonly version: string;
  readonly details: string;
  readonly wallMs: number;
  readonly resource: Any | null;
}

/** An update that was looked at: refused if any issue is an error, else `commit` makes it so. */
export interface CheckedUpdate {
  readonly issues: readonly Issue[];
  /** Names of what it holds. */
  readonly names: ReadonlySet<string>;
  /** Names that go; the caller may hold them back with `commit(false)` and call `remove` later. */
  readonly removed: readonly string[];
  commit(withRemovals: boolean): void;
}

interface Pending {
  readonly messages: Map<string, unknown>;
  readonly received: Map<string, ReceivedResource>;
  readonly seen: Set<string>;
  readonly issues: Issue[];
}

/** Keeps the state of one kind across reconnects. */
export class ResourceChannel {
  readonly spec: KindSpec;
  readonly accepted: Map<string, AcceptedResource> = new Map();
  readonly refused: Map<string, Refusal> = new Map();
  /** Names asked for of which the server said that there is nothing, or nothing any more: what was there stays in force. */
  readonly absent: Set<string> = new Set();
  /** Of the latest accepted response. */
  version = '';
  lastAcceptedWallMs = 0;
  lastRefusal: Refusal | null = null;
  /** A response was accepted, or none came in time. */
  isInitialized = false;
  /** Names of static resources. */
  reserved: ReadonlySet<string> = new Set();
  onInitialized: (() => void) | null = null;
  /** After each accepted update. */
  onAccepted: (() => void) | null = null;
  private readonly target: ResourceTarget<unknown>;
  private readonly clock: Clock;
  private readonly scope: Scope | null;
  private wantedNames: Set<string> = new Set();
  private readonly forgotten: Set<string> = new Set();
  private readonly waiting: Map<string, Timer> = new Map();

  constructor(spec: KindSpec, target: ResourceTarget<unknown>, clock: Clock, scope: Scope | null) {
    this.spec = spec;
    this.target = target;
    this.clock = clock;
    this.scope = scope;
  }

  get wanted(): ReadonlySet<string> {
    return this.wantedNames;
  }

  /** Names asked for that have not come yet. */
  get missing(): string[] {
    return [...this.wantedNames].filter((name) => !this.accepted.has(name));
  }

  /**
   * Names that were not wanted for a while, although the server was asked for them (`asked`) and is to be asked again: it must hear
   * of both, as what it sent before is gone.
   */
  renewed(asked: ReadonlySet<string>): ReadonlySet<string> {
    return new Set([...this.forgotten].filter((name) => asked.has(name) && this.wantedNames.has(name)));
  }

  /** What was wanted up to now has been said. */
  noteAsked(): void {
    this.forgotten.clear();
  }

  /** A wildcard kind waits for its first response as a whole. */
  awaitFirst(timeoutMs: number): void {
    if (timeoutMs > 0 && !this.isInitialized) this.startWaiting('', timeoutMs);
  }

  /** Changes what is wanted; true when it did. Timeouts count from when a name is first asked for; 0 waits for ever. */
  setWanted(names: Iterable<string>, timeoutOf: (name: string) => number): boolean {
    const next = new Set(names);
    const gone = [...this.wantedNames].filter((name) => !next.has(name));
    const added = [...next].filter((name) => !this.wantedNames.has(name));
    if (gone.length === 0 && added.length === 0) return false;
    this.wantedNames = next;
    for (const name of gone) this.forget(name);
    for (const name of added) if (timeoutOf(name) > 0) this.startWaiting(name, timeoutOf(name));
    return true;
  }

  private forget(name: string): void {
    this.stopWaiting(name);
    this.forgotten.add(name);
    this.refused.delete(name);
    this.absent.delete(name);
    const wasThere = this.accepted.delete(name);
    if (wasThere && this.spec.removeWhenUnwanted) this.target.prepare(new Map(), [name], this.version, []).commit();
  }

  private startWaiting(name: string, timeoutMs: number): void {
    this.waiting.get(name)?.stop();
    this.waiting.set(
      name,
      this.clock.start(timeoutMs, () => this.onTimeout(name), undefined),
    );
  }

  private stopWaiting(name: string): void {
    this.waiting.get(name)?.stop();
    this.waiting.delete(name);
  }

  private onTimeout(name: string): void {
    this.waiting.delete(name);
    this.scope?.counter('init_fetch_timeout').inc();
    if (name === '') this.initialize();
    else this.target.onMissing?.(name);
  }

  private initialize(): void {
    this.stopWaiting('');
    if (this.isInitialized) return;
    this.isInitialized = true;
    this.onInitialized?.();
  }

  /**
   * Decodes and checks; changes nothing yet. Unchanged resources are left out by their bytes. `leaving` names what earlier responses
   * take away at the end of the turn.
   */
  check(update: ReceivedUpdate, leaving: readonly string[]): CheckedUpdate {
    this.scope?.counter('update_attempt').inc();
    const pending: Pending = { messages: new Map(), received: new Map(), seen: new Set(), issues: [] };
    update.resources.forEach((received, index) => {
      this.checkResource(received, index, pending);
    });
    for (const name of update.removed) {
      if (pending.seen.has(name))
        reportOn(
          pending.issues,
          'WEFT0142',
          `${this.spec.kind}["${name}"]`,
          'is both sent and removed in one response; do one of the two',
        );
    }
    const removed = this.removedBy(update, pending.seen);
    // What comes again does not leave.
    const gone = leaving.filter((name) => !pending.seen.has(name));
    const prepared = this.prepare(pending, [...gone, ...removed], update.version);
    return {
      issues: pending.issues,
      names: pending.seen,
      removed,
      commit: (withRemovals) => this.commit(update, pending, withRemovals ? removed : [], prepared),
    };
  }

  private checkResource(received: ReceivedResource, index: number, pending: Pending): void {
    const { spec } = this;
    const known = this.knownName(received);
    if (known !== null) {
      if (this.noteName(known, pending)) pending.received.set(known, received);
      return;
    }
    const own = ownMemory(received);
    const place = received.name === '' ? `${spec.kind}[${index}]` : `${spec.kind}["${received.name}"]`;
    const message = this.decode(own, place, pending.issues);
    if (message === null) return;
    const named = isMessageObject(message) ? message[spec.nameField] : undefined;
    const name = typeof named === 'string' ? named : received.name;
    if (name === '' || (received.name !== '' && received.name !== name)) {
      const problem =
        name === '' ? 'has no name; give it one' : `is named "${name}" inside; send it under its own name`;
      reportOn(pending.issues, 'WEFT0141', place, problem);
      return;
    }
    if (!this.noteName(name, pending)) return;
    const path = `${spec.kind}["${name}"]`;
    if (this.reserved.has(name))
      reportOn(
        pending.issues,
        'WEFT0145',
        path,
        'has the name of a static resource of the bootstrap; rename one of them',
      );
    if (received.ttlMs > 0)
      reportOn(
        pending.issues,
        'WEFT0143',
        path,
        'asks for a time to live, which is not carried out; send it without ttl',
      );
    pending.issues.push(...checkSupport(spec.typeName, message, path));
    pending.messages.set(name, message);
    pending.received.set(name, own);
  }

  /** The name of a resource whose bytes are those in force: what was checked once is not checked again. */
  private knownName(received: ReceivedResource): string | null {
    const name = received.name === '' ? leadingName(received.resource.value) : received.name;
    const accepted = this.accepted.get(name);
    if (accepted === undefined || received.ttlMs > 0) return null;
    const isSame = Buffer.from(accepted.resource.value).equals(received.resource.value);
    return isSame && accepted.resource.typeUrl === received.resource.typeUrl ? name : null;
  }

  private noteName(name: string, pending: Pending): boolean {
    if (pending.seen.has(name)) {
      reportOn(
        pending.issues,
        'WEFT0142',
        `${this.spec.kind}["${name}"]`,
        'is sent twice in one response; send it once',
      );
      return false;
    }
    pending.seen.add(name);
    return true;
  }

  private decode(received: ReceivedResource, place: string, issues: Issue[]): unknown {
    const { spec } = this;
    const actual = typeNameOf(received.resource);
    if (actual !== spec.typeName) {
      reportOn(issues, 'WEFT0144', place, `holds ${actual || 'nothing'} where ${spec.typeName} belongs`);
      return null;
    }
    try {
      return decodeLayout(layoutOf(spec.typeName), received.resource.value);
    } catch (thrown) {
      if (!(thrown instanceof ProtobufError)) throw thrown;
      reportOn(issues, thrown.code, place, thrown.message);
      return null;
    }
  }

  // As Envoy: what a listener or a cluster refers to by name serves until nothing refers to it any more, whatever the server takes away.
  private removedBy(update: ReceivedUpdate, seen: ReadonlySet<string>): string[] {
    if (!this.spec.isWildcard) return [];
    const removed = update.removed.filter((name) => this.accepted.has(name));
    if (!update.isFull) return removed;
    return removed.concat([...this.accepted.keys()].filter((name) => !seen.has(name)));
  }

  /** Nothing is handed over when the response is already refused: its issues would only repeat. */
  private prepare(pending: Pending, leaving: readonly string[], version: string): PreparedUpdate | null {
    if (hasErrors(pending.issues)) return null;
    this.dropUnwanted(pending);
    const isChange = pending.messages.size > 0 || leaving.length > 0;
    if (!isChange) return null;
    const prepared = this.target.prepare(pending.messages, [], version, leaving);
    pending.issues.push(...prepared.issues);
    return prepared;
  }

  /** What nobody asked for, or asks for no longer, is neither an error nor kept. */
  private dropUnwanted(pending: Pending): void {
    if (this.spec.isWildcard) return;
    for (const name of [...pending.received.keys()]) {
      if (this.wantedNames.has(name)) continue;
      pending.received.delete(name);
      pending.messages.delete(name);
    }
  }

  private commit(
    update: ReceivedUpdate,
    pending: Pending,
    removed: readonly string[],
    prepared: PreparedUpdate | null,
  ): void {
    prepared?.commit();
    const wallMs = this.clock.wallMs();
    if (update.isFull) this.refused.clear();
    for (const [name, received] of pending.received) {
      const isChanged = pending.messages.has(name);
      const before = this.accepted.get(name);
      const version = received.version === '' ? update.version : received.version;
      // What did not change stays the same object, so that no response is kept in memory for it.
      const kept = isChanged ? undefined : before;
      const updatedWallMs = kept?.updatedWallMs ?? wallMs;
      this.accepted.set(name, { resource: kept?.resource ?? received.resource, version, updatedWallMs });
      this.refused.delete(name);
      this.absent.delete(name);
      this.stopWaiting(name);
    }
    for (const name of update.removed) this.noteAbsent(name);
    if (removed.length > 0) this.remove(removed, update.version);
    this.version = update.version;
    this.lastAcceptedWallMs = wallMs;
    this.lastRefusal = null;
    this.onAccepted?.();
    this.initialize();
  }

  /** The update that was committed is acknowledged. */
  confirm(version: string): void {
    this.version = version;
    this.lastRefusal = null;
    this.scope?.counter('update_success').inc();
  }

  /** The resources of an update by name; all there are where it holds all. */
  namesOf(update: ReceivedUpdate): readonly string[] {
    return update.isFull ? [...this.accepted.keys()] : update.resources.map(({ name }) => name);
  }

  /** The incremental server said that there is no such resource: nobody need wait for it. */
  private noteAbsent(name: string): void {
    if (!this.wantedNames.has(name)) return;
    this.absent.add(name);
    const wasAwaited = this.waiting.has(name);
    this.stopWaiting(name);
    if (wasAwaited) this.target.onMissing?.(name);
  }

  /** Takes resources out of the target. */
  remove(wanted: readonly string[], version: string): void {
    const names = wanted.filter((name) => this.accepted.has(name));
    if (names.length === 0) return;
    this.target.prepare(new Map(), names, version, []).commit();
    for (const name of names) {
      this.accepted.delete(name);
      this.refused.delete(name);
    }
    this.onAccepted?.();
  }

  /** Remembers why an update was refused, for the admin pages. */
  noteRefusal(update: ReceivedUpdate, issues: readonly Issue[], details: string): void {
    const wallMs = this.clock.wallMs();
    this.lastRefusal = { version: update.version, details, wallMs, resource: null };
    this.scope?.counter('update_rejected').inc();
    for (const received of update.resources) {
      const name = received.name === '' ? leadingName(received.resource.value) : received.name;
      if (name === '') continue;
      const own = issues.filter((issue) => issue.level === 'error' && issue.path?.includes(name) === true);
      if (own.length === 0) continue;
      const ownDetails = own.map((issue) => `${issue.code} ${issue.path ?? ''}: ${issue.message}`).join('; ');
      this.refused.set(name, { version: update.version, details: ownDetails, wallMs, resource: received.resource });
    }
  }

  /** Stops its timers. */
  dispose(): void {
    for (const timer of this.waiting.values()) timer.stop();
    this.waiting.clear();
  }
}

/** A copy of the bytes: decoded messages are views of them, and must not keep a whole response in memory. */
function ownMemory(received: ReceivedResource): ReceivedResource {
  const { typeUrl, value } = received.resource;
  return { ...received, resource: { typeUrl, value: new Uint8Array(value) } };
}

function reportOn(issues: Issue[], code: string, path: string, message: string): void {
  issues.push({ code, level: 'error', path, message });
}

/** The name that a resource's bytes begin with (field 1 of every kind), or empty: only a hint, always compared with more. */
function leadingName(bytes: Uint8Array): string {
  const length = bytes[1] ?? 0;
  if (bytes[0] !== 0x0a || length >= 0x80 || bytes.length < 2 + length) return leadingLongName(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset + 2, length).toString('utf8');
}

function leadingLongName(bytes: Uint8Array): string {
  const low = bytes[1] ?? 0;
  const high = bytes[2] ?? 0;
  const length = (low & 0x7f) | (high << 7);
  if (bytes[0] !== 0x0a || low < 0x80 || high >= 0x80 || bytes.length < 3 + length) return '';
  return Buffer.from(bytes.buffer, bytes.byteOffset + 3, length).toString('utf8');
}

/** A resource of a state-of-the-world response; some servers wrap each in a Resource. Throws ProtobufError. */
export function unwrapResource(any: Any): ReceivedResource {
  if (typeNameOf(any) !== 'envoy.service.discovery.v3.Resource')
    return { name: '', version: '', resource: any, ttlMs: 0 };
  const wrapper = decodeMessage('envoy.service.discovery.v3.Resource', any.value);
  const resource = wrapper.resource ?? { typeUrl: '', value: new Uint8Array(0) };
  return { name: wrapper.name ?? '', version: wrapper.version ?? '', resource, ttlMs: durationMs(wrapper.ttl) };
}
