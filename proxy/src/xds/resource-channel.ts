// One kind of resource: what is wanted, what was accepted last, what was refused. Checks updates and hands over what is good of them.
import type { google } from '@weft/api/xds/types';
import type { Clock, Timer } from '@weft/lib/clock';
import { hasErrors, type Issue, resourcePath } from '@weft/lib/issue';
import type { Scope } from '@weft/lib/metrics';
import { nameHint, type ReceivedUpdate } from './received.ts';
import type { KindSpec } from './resource-kind.ts';
import { ResponseCheck } from './response-check.ts';
import type { PreparedUpdate, ResourceTarget } from './target.ts';

type Any = google.protobuf.Any;

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

/** An update that was looked at; what errors speak against is refused. */
export interface CheckedUpdate {
  readonly issues: readonly Issue[];
  /** Names of what it holds. */
  readonly names: ReadonlySet<string>;
  /** Names that go; the caller is to call `remove` in time. */
  readonly removed: readonly string[];
  /** Makes what is good of it so. */
  commit(): void;
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
  /** A response came, whether or not anything of it could be taken, or none came in time. */
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
  /** What goes with the next update that is good as a whole. */
  private heldBack: ReadonlySet<string> = new Set();
  /** Nothing came on this stream yet. */
  private isFresh = false;
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

  isWanted(name: string): boolean {
    return this.spec.isWildcard || this.wantedNames.has(name);
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

  /** A new stream: the server starts from what is in force here, so it says again what is refused or is to go. */
  beginStream(): void {
    this.heldBack = new Set();
    this.isFresh = true;
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
    const found = new ResponseCheck(this.spec, this, update);
    const taken = this.takenAway(update, found);
    // What comes again does not leave.
    const gone = leaving.filter((name) => !found.seen.has(name));
    const prepared = this.prepare(found, [...gone, ...taken], update.version);
    const isWhole = !hasErrors(found.issues);
    const removed = isWhole || !this.spec.isPointedAt ? taken : [];
    return {
      issues: found.issues,
      names: found.seen,
      removed,
      commit: () => {
        this.heldBack = new Set(isWhole ? [] : taken.filter((name) => !removed.includes(name)));
        this.commit(update, found, prepared);
        if (isWhole) this.noteWhole(update.version);
      },
    };
  }

  // As Envoy: what a listener or a cluster refers to by name serves until nothing refers to it any more, whatever the server takes away.
  private takenAway(update: ReceivedUpdate, found: ResponseCheck): string[] {
    if (!this.spec.isWildcard) return [];
    // One that cannot be told may be any of those that seem to be gone.
    if (update.isFull && found.hasNameless) return [];
    const names = update.isFull ? this.accepted.keys() : new Set([...this.heldBack, ...update.removed]);
    return [...names].filter((name) => this.accepted.has(name) && !found.seen.has(name));
  }

  /** Leaves out what the target finds fault with, until it takes the rest. */
  private prepare(found: ResponseCheck, leaving: readonly string[], version: string): PreparedUpdate | null {
    while (found.messages.size > 0) {
      const prepared = this.target.prepare(new Map(found.messages), [], version, leaving);
      if (!hasErrors(prepared.issues)) {
        found.issues.push(...prepared.issues);
        return prepared;
      }
      const errors = prepared.issues.filter(({ level }) => level === 'error');
      found.issues.push(...errors);
      if (!found.refuseNamed(errors)) {
        found.refuseAll();
        return null;
      }
    }
    return null;
  }

  private commit(update: ReceivedUpdate, found: ResponseCheck, prepared: PreparedUpdate | null): void {
    prepared?.commit();
    const wallMs = this.clock.wallMs();
    // A whole response of a kind that is asked for by name may hold a part of what was asked for.
    if (this.isFresh || (update.isFull && this.spec.isWildcard)) this.refused.clear();
    this.isFresh = false;
    for (const [name, received] of found.received) {
      const isChanged = found.messages.has(name);
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
    for (const name of update.removed) {
      this.refused.delete(name);
      this.noteAbsent(name);
    }
    this.onAccepted?.();
  }

  private noteWhole(version: string): void {
    this.version = version;
    this.lastAcceptedWallMs = this.clock.wallMs();
    this.lastRefusal = null;
    this.initialize();
  }

  /** The update that was committed is acknowledged. */
  confirm(version: string): void {
    this.version = version;
    this.scope?.counter('update_success').inc();
  }

  /** What could not be carried out of the latest update has been after all. */
  noteMended(update: ReceivedUpdate): void {
    this.lastRefusal = null;
    for (const received of update.resources) this.refused.delete(nameHint(received));
  }

  /** The update was refused, or a part of it. */
  countRefusal(): void {
    this.scope?.counter('update_rejected').inc();
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
    this.initialize();
    for (const received of update.resources) {
      const name = nameHint(received);
      if (name === '') continue;
      const path = resourcePath(this.spec.kind, name);
      const own = issues.filter((issue) => issue.level === 'error' && issue.path?.startsWith(path) === true);
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
