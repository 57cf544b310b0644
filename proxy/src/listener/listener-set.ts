// All listeners: checked and compiled as a whole, warmed until what they need is there, swapped without losing a connection.

import type { envoy } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import { messageOf } from '@weft/lib/error';
import { hasErrors, type Issue, resourcePath } from '@weft/lib/issue';
import { type Counter, type Gauge, type Scope, ScopeRecorder } from '@weft/lib/metrics';
import type { PathOf } from '../cluster/cluster-set.ts';
import type { Connection } from '../io/connection.ts';
import type { ConnectionInfo, Endpoint } from '../io/connection-info.ts';
import type { InternalListeners, NetworkContext } from '../network-filter/network-context.ts';
import { checkAddresses } from './address-conflict.ts';
import { BindTrials } from './bind-trials.ts';
import {
  type CompiledListener,
  compileListener,
  isListenerReady,
  isListenerReadyButSecrets,
  scopesOf,
} from './compile-listener.ts';
import type { FilterChain } from './filter-chain.ts';
import { collides, type ListenAddress, type ListenSockets, overlaps, ownSockets } from './listen-sockets.ts';
import { Listener } from './listener.ts';
import { DestinationIndex, type ListenerDirectory } from './redirection.ts';
import { SecretPatience } from './secret-patience.ts';

type Config = envoy.config.listener.v3.Listener;

/** Which listeners: all, or those whose `traffic_direction` is INBOUND. */
export type DrainScope = 'all' | 'inbound';

/** How long connections of a replaced chain may go on, as Envoy's `--drain-time-s`. */
const drainTimeMs = 600_000;
/** By then every drained chain is over, whichever timer comes first. */
const afterDrainMs = 1000;
const bindRetryMs = 1000;

/** A checked change, not yet made. */
export interface PreparedListeners {
  readonly issues: readonly Issue[];
  commit(): void;
}

/** One listener for `/listeners` and `/config_dump`. */
export interface ListenerState {
  readonly compiled: CompiledListener;
  readonly state: 'active' | 'warming';
  readonly port: number;
  /** Whether it has its address, or needs none of its own. */
  readonly isBound: boolean;
  readonly bindError: string | null;
}

/** A listener whose name another one has now. */
interface Replaced {
  readonly listener: Listener;
  readonly successor: CompiledListener;
}

export class ListenerSet implements InternalListeners, ListenerDirectory<Listener> {
  /** Called when a listener went live or could not be bound. */
  onStateChange: (() => void) | null = null;
  /** Called when a listener got its address. */
  onBound: (() => void) | null = null;
  private readonly clock: Clock;
  private readonly sockets: ListenSockets;
  private readonly active: Map<string, Listener> = new Map();
  private readonly warming: Map<string, CompiledListener> = new Map();
  /** Versions with another address, which the one before serves for until they have it. */
  private readonly moving: Map<string, Listener> = new Map();
  private readonly bindErrors: Map<string, string> = new Map();
  private readonly trials: BindTrials<Listener> = new BindTrials();
  private readonly draining: Set<FilterChain> = new Set();
  private readonly patience: SecretPatience;
  /** Made anew after a change, when a redirected connection first asks. */
  private byDestination: DestinationIndex<Listener> | null = null;
  private context: NetworkContext | null = null;
  /** Which listeners ask their clients to leave, whatever becomes of them. */
  private drained: DrainScope | null = null;
  /** Which listeners take no new connections any more. */
  private stopped: DrainScope | null = null;
  private readonly counters: {
    added: Counter;
    modified: Counter;
    removed: Counter;
    failed: Counter;
    active: Gauge;
    warming: Gauge;
  };

  constructor(clock: Clock, scope: Scope, sockets: ListenSockets = ownSockets) {
    this.clock = clock;
    this.sockets = sockets;
    this.patience = new SecretPatience(clock, () => this.onDependencyChange());
    this.counters = {
      added: scope.counter('listener_added'),
      modified: scope.counter('listener_modified'),
      removed: scope.counter('listener_removed'),
      failed: scope.counter('listener_create_failure'),
      active: scope.gauge('total_listeners_active'),
      warming: scope.gauge('total_listeners_warming'),
    };
  }

  /** The context holds this set as its internal listeners, so it comes after the constructor. */
  use(context: NetworkContext): void {
    this.context = context;
  }

  // ---- internal listeners

  has(name: string): boolean {
    return this.active.get(name)?.current.isInternal ?? false;
  }

  take(name: string, connection: Connection, info: ConnectionInfo, rest: Buffer): void {
    const listener = this.active.get(name);
    if (listener === undefined || !listener.current.isInternal) connection.destroy();
    else listener.takeTunnel(connection, info, rest);
  }

  // ---- listeners of redirected connections

  find(destination: Endpoint): Listener | null {
    this.byDestination ??= indexOf(this.active.values());
    return this.byDestination.find(destination);
  }

  // ---- configuration

  /** `leaving` are removed by a later call, but before a newcomer binds: its address is free by then. */
  prepare(
    set: ReadonlyMap<string, Config>,
    remove: readonly string[],
    version: string,
    pathOf: PathOf = (name) => resourcePath('listener', name),
    leaving: readonly string[] = [],
  ): PreparedListeners {
    const issues: Issue[] = [];
    const compiled: CompiledListener[] = [];
    const { context } = this;
    if (context === null) return { issues, commit: () => {} };
    const metrics = new ScopeRecorder(context.metrics);
    for (const [name, config] of set) {
      const previous = this.warming.get(name) ?? this.active.get(name)?.current ?? null;
      const place = { issues, path: pathOf(name) };
      const one = compileListener(config, version, previous, { ...context, metrics }, place);
      if (one !== null) compiled.push(one);
    }
    issues.push(...checkAddresses(compiled, this.staying(set, [...remove, ...leaving]), pathOf));
    // A refused newcomer leaves no statistics behind.
    if (hasErrors(issues)) this.forgetStatistics(metrics.used);
    const commit = (): void => {
      for (const name of remove) this.remove(name);
      for (const one of compiled) this.put(one);
      this.onDependencyChange();
    };
    return { issues, commit };
  }

  /** The newest version of those that a change leaves alone. */
  private staying(set: ReadonlyMap<string, Config>, remove: readonly string[]): CompiledListener[] {
    const listeners = [...this.active.values(), ...this.moving.values()];
    const newest = new Map(listeners.map(({ current }) => [current.name, current]));
    for (const [name, compiled] of this.warming) newest.set(name, compiled);
    return [...newest.values()].filter(({ name }) => !set.has(name) && !remove.includes(name));
  }

  private put(compiled: CompiledListener): void {
    const before = this.warming.get(compiled.name);
    if (!this.active.has(compiled.name)) this.patience.begin(compiled, this.context?.log ?? null);
    this.warming.set(compiled.name, compiled);
    if (before !== undefined) this.forgetInTime(before, compiled);
    this.counters.warming.set(this.warming.size);
  }

  /** Routes or secrets have changed: whatever waited for them may go live. */
  onDependencyChange(): void {
    const replaced: Replaced[] = [];
    for (const [name, compiled] of [...this.warming]) {
      if (!this.mayGoLive(compiled)) continue;
      this.warming.delete(name);
      this.activate(compiled, replaced);
    }
    // Last, so that one of the same change that comes to an address has the sockets of the one that leaves it.
    for (const { listener, successor } of replaced) this.retire(listener, successor);
    this.counters.warming.set(this.warming.size);
  }

  private mayGoLive(compiled: CompiledListener): boolean {
    const { name } = compiled;
    if (isListenerReady(compiled)) {
      this.patience.end(name);
      return true;
    }
    const serving = this.active.get(name)?.current;
    if (serving !== undefined && isListenerReady(serving)) return false;
    return this.patience.isOver(name) && isListenerReadyButSecrets(compiled);
  }

  private activate(compiled: CompiledListener, replaced: Replaced[]): void {
    if (this.drained !== null && isInScope(compiled, this.drained)) drainChains(compiled.chainsByContent.values());
    this.dropMove(compiled.name);
    this.endMovesFrom(compiled.address, replaced);
    const existing = this.active.get(compiled.name);
    if (existing !== undefined && sameAddress(existing.current, compiled)) {
      this.counters.modified.inc();
      const before = existing.current;
      existing.update(compiled);
      this.byDestination = null;
      this.drainReplaced(before, compiled);
      this.onStateChange?.();
      return;
    }
    this.counters.added.inc();
    const listener = new Listener(compiled, this.clock, this, this.sockets, this.context?.descriptors ?? null);
    if (existing !== undefined && this.canMove(existing, compiled)) {
      this.moving.set(compiled.name, listener);
      this.open(listener);
      return;
    }
    if (existing !== undefined) replaced.push({ listener: existing, successor: compiled });
    this.active.set(compiled.name, listener);
    this.byDestination = null;
    this.counters.active.set(this.active.size);
    this.open(listener);
  }

  /**
   * Whether the new address can be had while the old one is kept: not where either is also another listener's, which may be giving
   * it up or waiting for it.
   */
  private canMove(existing: Listener, compiled: CompiledListener): boolean {
    const { address: from } = existing.current;
    const { address: to } = compiled;
    if (from === null || to === null || !existing.isBound || overlaps(from, to)) return false;
    const listeners = [...this.active.values(), ...this.moving.values()].filter((one) => one !== existing);
    const others = [...listeners.map((one) => one.current), ...this.warming.values()];
    return others.every(({ address }) => !overlaps(address, from) && !overlaps(address, to));
  }

  /** Whoever is on the move from an address that another one comes to leaves it at once. */
  private endMovesFrom(address: ListenAddress, replaced: Replaced[]): void {
    for (const [name, listener] of this.moving) {
      const before = this.active.get(name);
      if (before === undefined || !collides(before.current.address, address)) continue;
      this.moving.delete(name);
      this.active.set(name, listener);
      this.byDestination = null;
      replaced.push({ listener: before, successor: listener.current });
    }
  }

  private finishMove(listener: Listener): void {
    const { name } = listener;
    if (this.moving.get(name) !== listener) return;
    this.moving.delete(name);
    const before = this.active.get(name);
    this.active.set(name, listener);
    if (before !== undefined) this.retire(before, listener.current);
  }

  private dropMove(name: string): void {
    const listener = this.moving.get(name);
    if (listener === undefined) return;
    this.moving.delete(name);
    this.bindErrors.delete(name);
    this.closeSocket(listener);
    this.forgetInTime(listener.current, null);
  }

  private open(listener: Listener): void {
    const { name } = listener;
    if (this.active.get(name) !== listener && this.moving.get(name) !== listener) return;
    if (this.isStopped(listener)) return;
    this.trials.begin(listener);
    listener.open((error) => {
      if (error === null) {
        this.bindErrors.delete(name);
        this.finishMove(listener);
        this.byDestination = null;
        this.trials.end(listener);
        this.onStateChange?.();
        this.onBound?.();
        return;
      }
      this.counters.failed.inc();
      const message = bindMessage(listener.current, error);
      const isNews = this.sockets.reportsFailures && this.bindErrors.get(name) !== message;
      if (isNews) this.context?.log.error(message, { listener: name });
      this.bindErrors.set(name, message);
      this.clock.start(bindRetryMs, (one: Listener) => this.open(one), listener);
      this.trials.end(listener);
      this.onStateChange?.();
    });
  }

  private remove(name: string): void {
    const waiting = this.warming.get(name);
    this.patience.end(name);
    this.warming.delete(name);
    if (waiting !== undefined) this.forgetInTime(waiting, null);
    this.dropMove(name);
    this.bindErrors.delete(name);
    const listener = this.active.get(name);
    if (listener === undefined) return;
    this.counters.removed.inc();
    this.active.delete(name);
    this.byDestination = null;
    this.counters.active.set(this.active.size);
    this.retire(listener, null);
  }

  private retire(listener: Listener, successor: CompiledListener | null): void {
    this.closeSocket(listener);
    this.drainReplaced(listener.current, successor);
  }

  private closeSocket(listener: Listener): void {
    listener.close();
    this.trials.end(listener);
  }

  // Chains that the new version kept go on untouched; where only the filters changed, connections move over; others finish what
  // they do.
  private drainReplaced(before: CompiledListener, after: CompiledListener | null): void {
    this.forgetInTime(before, after);
    const kept = new Set(after?.chainsByContent.values() ?? []);
    for (const [entrance, chain] of before.chainsByEntrance) {
      const next = after?.chainsByEntrance.get(entrance);
      if (next !== undefined && !kept.has(chain) && chain.succeedBy(next)) kept.add(chain);
    }
    for (const chain of before.chainsByContent.values()) {
      if (kept.has(chain)) continue;
      chain.chain.terminal.drain();
      this.draining.add(chain);
      this.clock.start(drainTimeMs, (one: FilterChain) => this.endDrained(one), chain);
    }
  }

  /** What only the version before counted in goes when its last connection must be over. */
  private forgetInTime(before: CompiledListener, after: CompiledListener | null): void {
    const kept = new Set(after === null ? [] : scopesOf(after));
    const left = scopesOf(before).filter((scope) => !kept.has(scope));
    if (left.length === 0) return;
    this.clock.start(drainTimeMs + afterDrainMs, (scopes: Scope[]) => this.forgetStatistics(scopes), left);
  }

  /** Listeners may share theirs (`stat_prefix`): they stay with the last one. */
  private forgetStatistics(scopes: Iterable<Scope>): void {
    const listeners = [...this.active.values(), ...this.moving.values()].map(({ current }) => current);
    const used = new Set([...listeners, ...this.warming.values()].flatMap(scopesOf));
    for (const { scopes: own } of this.draining) for (const scope of own) used.add(scope);
    for (const scope of scopes) if (!used.has(scope)) this.context?.metrics.remove(scope);
  }

  private endDrained(chain: FilterChain): void {
    this.draining.delete(chain);
    chain.chain.terminal.closeAll();
  }

  // ---- states

  all(): ListenerState[] {
    const states: ListenerState[] = [];
    for (const listener of this.active.values()) {
      const bindError = this.bindErrors.get(listener.name) ?? null;
      const { current: compiled, port, isBound } = listener;
      states.push({ compiled, state: 'active', port, isBound, bindError });
    }
    for (const compiled of this.warming.values())
      states.push({ compiled, state: 'warming', port: 0, isBound: false, bindError: null });
    return states;
  }

  /** Names of the listeners that wait for something and have no older version that serves. */
  missingNames(): string[] {
    return this.warmingNames().filter((name) => !this.active.has(name));
  }

  /** Names of the listeners that wait for something. */
  warmingNames(): string[] {
    return [...this.warming.keys()];
  }

  private isStopped(listener: Listener): boolean {
    return this.stopped !== null && isInScope(listener.current, this.stopped);
  }

  /** Calls back when every listener that tries to get its address has it or has failed, or after so long. */
  whenTried(clock: Clock, limitMs: number, done: () => void): void {
    this.trials.whenOver(clock, limitMs, done);
  }

  /** Why some of these listeners do not have their addresses; they go on trying. */
  bindIssues(names: readonly string[]): Issue[] {
    return names.flatMap((name): Issue[] => {
      const message = this.bindErrors.get(name);
      return message === undefined
        ? []
        : [{ code: 'WEFT0150', level: 'error', path: resourcePath('listener', name), message }];
    });
  }

  /** Names of the listeners that should have their address and do not. */
  unboundNames(): string[] {
    const expected = this.all().filter(({ compiled, state }) => {
      const listener = this.active.get(compiled.name);
      return state === 'active' && listener !== undefined && !this.isStopped(listener);
    });
    const isMoving = ({ compiled }: ListenerState): boolean => this.moving.has(compiled.name);
    return expected
      .filter((one) => !one.isBound || (one.bindError !== null && !isMoving(one)))
      .map((one) => one.compiled.name);
  }

  private *chains(scope: DrainScope = 'all'): Iterable<FilterChain> {
    for (const listener of this.active.values()) {
      if (isInScope(listener.current, scope)) yield* listener.current.chainsByContent.values();
    }
    // What was replaced is on its way out in any case.
    if (scope === 'all') yield* this.draining;
  }

  /** Connections under way, over all listeners. */
  get connections(): number {
    let sum = 0;
    for (const chain of this.chains()) sum += chain.chain.terminal.connections;
    return sum;
  }

  /** Asks clients to leave: responses say `Connection: close`. New connections are still taken. */
  drain(scope: DrainScope = 'all'): void {
    if (this.drained !== 'all') this.drained = scope;
    drainChains(this.chains(scope));
  }

  /** Accepts nothing more and ends what is idle; what runs goes on. */
  stopAccepting(scope: DrainScope = 'all'): void {
    if (this.stopped !== 'all') this.stopped = scope;
    for (const listener of this.moving.values()) if (isInScope(listener.current, scope)) this.dropMove(listener.name);
    for (const listener of this.active.values()) if (isInScope(listener.current, scope)) this.closeSocket(listener);
    for (const chain of this.chains(scope)) chain.chain.terminal.closeIdle();
  }

  closeAll(): void {
    for (const chain of this.chains()) chain.chain.terminal.closeAll();
  }
}

// A listener that is not up yet has no port, or none that takes connections.
function indexOf(listeners: Iterable<Listener>): DestinationIndex<Listener> {
  const index = new DestinationIndex<Listener>();
  for (const listener of listeners) {
    const { address, unboundAddress } = listener.current;
    const own = unboundAddress ?? (address === null || 'path' in address ? null : address);
    const port = unboundAddress === null ? listener.port : unboundAddress.port;
    if (own !== null && port !== 0) index.add({ address: own.host, port }, !own.ipv6Only, listener);
  }
  return index;
}

function isInScope({ config }: CompiledListener, scope: DrainScope): boolean {
  return scope === 'all' || config.trafficDirection === 'INBOUND';
}

function drainChains(chains: Iterable<FilterChain>): void {
  for (const { chain } of chains) chain.terminal.drain();
}

function sameAddress(a: CompiledListener, b: CompiledListener): boolean {
  const socketOf = ({ isInternal, isTransparent, address }: CompiledListener): string =>
    JSON.stringify([isInternal, isTransparent, address]);
  return socketOf(a) === socketOf(b);
}

function bindMessage(compiled: CompiledListener, error: Error): string {
  const { address } = compiled;
  const where = address === null ? '' : 'path' in address ? address.path : `${address.host}:${address.port}`;
  const advice = messageOf(error).includes('EADDRINUSE')
    ? '; another program listens there: stop it or change the port'
    : '';
  return `listener '${compiled.name}' cannot listen on ${where}: ${messageOf(error)}${advice}`;
}
