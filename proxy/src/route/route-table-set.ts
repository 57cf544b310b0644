// All route tables of the proxy by name. A new table that names a cluster not yet warm waits, for a bounded time, while the old one
// serves; so a route change never sends a request to a cluster without endpoints.

import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import type { PathOf, PreparedChange } from '../cluster/cluster-set.ts';
import type { IssueSink } from '../security/data-source.ts';
import type { CompileOverride } from './filter-override.ts';
import type { RouteTable } from './route-table.ts';
import { compileRouteTable, type RouteConfiguration } from './table-config.ts';

/** What the set asks of the clusters. */
export interface ClusterWarmth {
  isServing(name: string): boolean;
  onWarm(callback: (name: string) => void): () => void;
}

export interface RouteTableSetOptions {
  readonly clock: Clock;
  readonly clusters: ClusterWarmth;
  /** Whether a route may name that cluster. */
  readonly hasCluster: (name: string) => boolean;
  readonly compileOverride: CompileOverride;
}

/** The routes in force at this moment, for one connection manager. */
export interface RouteReference {
  current(): RouteTable | null;
  readonly isReady: boolean;
}

/** Past this a waiting table goes live as it is. */
const maxWaitMs = 15_000;

interface Waiting {
  readonly table: RouteTable;
  readonly message: RouteConfiguration;
  readonly version: string;
  readonly timer: Timer;
  /** When it goes live, warm or not. */
  readonly dueMs: number;
}

/** One name. Also the reference that connection managers hold, so that a name may be wanted before it is there. */
class Entry implements RouteReference {
  readonly name: string;
  table: RouteTable | null = null;
  message: RouteConfiguration | null = null;
  version = '';
  waiting: Waiting | null = null;
  isRoutable = false;

  constructor(name: string) {
    this.name = name;
  }

  current(): RouteTable | null {
    return this.table;
  }

  get isReady(): boolean {
    return this.isRoutable;
  }
}

/** A table that is part of its listener. */
class InlineReference implements RouteReference {
  readonly isReady = true;
  private readonly table: RouteTable;

  constructor(table: RouteTable) {
    this.table = table;
  }

  current(): RouteTable {
    return this.table;
  }
}

export class RouteTableSet {
  private readonly options: RouteTableSetOptions;
  private readonly entries: Map<string, Entry> = new Map();
  private readonly callbacks: Set<(name: string) => void> = new Set();

  constructor(options: RouteTableSetOptions) {
    this.options = options;
    options.clusters.onWarm(() => this.onClusterWarm());
  }

  /** What serves now. */
  get(name: string): RouteTable | null {
    return this.entries.get(name)?.table ?? null;
  }

  /** Names with their tables, versions and messages, for `/config_dump`. */
  dump(): { name: string; version: string; message: RouteConfiguration }[] {
    return [...this.entries.values()].flatMap(({ name, version, message }) =>
      message === null ? [] : [{ name, version, message }],
    );
  }

  /** A reference that follows the table of that name, whether or not it is there yet. */
  reference(name: string): RouteReference {
    return this.obtain(name);
  }

  /** Compiles a table that lives in its listener; null after reporting. */
  inline(config: RouteConfiguration, issues: Issue[], path: string): RouteReference | null {
    const before = issues.length;
    const table = this.compile(config, true, { issues, path });
    return hasErrors(issues, before) ? null : new InlineReference(table);
  }

  /** Whether requests can be routed by that name: its table is there and its clusters are warm, or have had their time. */
  isRoutable(name: string): boolean {
    return this.entries.get(name)?.isRoutable === true;
  }

  /** Calls back with each name that has become routable, or has new routes; the result ends it. */
  onRoutable(callback: (name: string) => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  /** Checks new and changed tables. Unchanged ones are left alone. */
  prepare(
    set: ReadonlyMap<string, RouteConfiguration>,
    remove: readonly string[],
    version: string,
    pathOf: PathOf = (name) => `routes["${name}"]`,
  ): PreparedChange {
    const issues: Issue[] = [];
    const changed: [string, RouteConfiguration, RouteTable][] = [];
    for (const [name, message] of set) {
      if (isDeepStrictEqual(this.newestMessage(name), message)) continue;
      changed.push([name, message, this.compile(message, false, { issues, path: pathOf(name) })]);
    }
    const commit = (): void => {
      for (const [name, message, table] of changed) this.put(name, message, table, version);
      for (const name of remove) this.remove(name);
    };
    return { issues, commit };
  }

  private newestMessage(name: string): RouteConfiguration | null {
    const entry = this.entries.get(name);
    return entry?.waiting?.message ?? entry?.message ?? null;
  }

  private compile(message: RouteConfiguration, validatesClusters: boolean, sink: IssueSink): RouteTable {
    const { hasCluster, compileOverride } = this.options;
    return compileRouteTable(message, { compileOverride, hasCluster, validatesClusters }, sink);
  }

  private obtain(name: string): Entry {
    const known = this.entries.get(name);
    if (known !== undefined) return known;
    const made = new Entry(name);
    this.entries.set(name, made);
    return made;
  }

  private put(name: string, message: RouteConfiguration, table: RouteTable, version: string): void {
    const entry = this.obtain(name);
    const { clock } = this.options;
    // One that comes while another waits has only the rest of its time: a busy control plane must not put changes off for ever.
    const dueMs = entry.waiting?.dueMs ?? clock.now() + maxWaitMs;
    entry.waiting?.timer.stop();
    const timer = clock.start(Math.max(0, dueMs - clock.now()), onWaitOver, { set: this as RouteTableSet, entry });
    entry.waiting = { table, message, version, timer, dueMs };
    // Nothing serves yet: a route to a cluster that warms is better than none.
    if (entry.table === null) install(entry, entry.waiting);
    this.settle(entry);
  }

  private onClusterWarm(): void {
    for (const entry of this.entries.values()) if (entry.waiting !== null) this.settle(entry);
  }

  private settle(entry: Entry): void {
    const { waiting } = entry;
    if (waiting !== null && this.isWarm(waiting.table, entry.table)) this.goLive(entry);
  }

  // A cluster that the table in force lacks as well is no reason to wait: nothing gets worse.
  private isWarm(table: RouteTable, serving: RouteTable | null): boolean {
    const { clusters } = this.options;
    for (const name of table.clusters) {
      if (clusters.isServing(name)) continue;
      const isKnownGap = serving !== null && serving !== table && serving.clusters.has(name);
      if (!isKnownGap) return false;
    }
    return true;
  }

  /** Warm, or out of patience. */
  goLive(entry: Entry): void {
    const { waiting } = entry;
    if (waiting === null) return;
    waiting.timer.stop();
    install(entry, waiting);
    entry.waiting = null;
    entry.isRoutable = true;
    for (const callback of [...this.callbacks]) callback(entry.name);
  }

  /** The table did not come in its time: listeners that wait for it go live without, as Envoy's do. */
  giveUp(name: string): void {
    const entry = this.obtain(name);
    if (entry.isRoutable) return;
    entry.isRoutable = true;
    for (const callback of [...this.callbacks]) callback(name);
  }

  private remove(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    entry.waiting?.timer.stop();
    // The entry stays: a connection manager may refer to it, and the name may come back.
    entry.waiting = null;
    entry.table = null;
    entry.message = null;
    entry.isRoutable = false;
  }
}

function install(entry: Entry, waiting: Waiting): void {
  entry.table = waiting.table;
  entry.message = waiting.message;
  entry.version = waiting.version;
}

function onWaitOver({ set, entry }: { set: RouteTableSet; entry: Entry }): void {
  set.goLive(entry);
}

function hasErrors(issues: readonly Issue[], from: number): boolean {
  return issues.slice(from).some((issue) => issue.level === 'error');
}
