// The workers of a process: starts them, tells them what changes, asks them what they count, replaces one that dies.

import { systemClock } from '@weft/lib/clock';
import { keepFiles, keptFiles } from '@weft/lib/disk/config-file';
import { messageOf, stackOf, WeftError } from '@weft/lib/error';
import type { Log } from '@weft/lib/log';
import type { Counter, Gauge } from '@weft/lib/metrics';
import { encodeMessage } from '@weft/lib/protobuf/codec';
import { readWorkerWatchdog } from '../bootstrap/watchdog.ts';
import { type DnsResolver, SystemResolver } from '../cluster/dns/resolver.ts';
import type { DrainScope } from '../listener/listener-set.ts';
import type { RunningProxy, ThreadParts } from '../proxy.ts';
import { makeTicketSecret } from '../security/session-tickets.ts';
import type { ResourceTargets } from '../xds/target.ts';
import type { Handlers } from './channel.ts';
import { ConfigJournal, type Entry } from './config-journal.ts';
import { type ChangeFollower, forwardTargets } from './forward-targets.ts';
import { identityPartsOf } from './identity-parts.ts';
import { JoinedResolver } from './joined-resolver.ts';
import { LineDesk } from './line-desk.ts';
import { ListenClaims } from './listen-claims.ts';
import type { Change, LogLevels, MainCalls, Unready, WorkerCalls, WorkerStart } from './messages.ts';
import { SharedCells } from './shared-cells.ts';
import { WorkerWatch } from './watchdog/worker-watch.ts';
import { type SlotOwner, WorkerSlot } from './worker-slot.ts';

/** Readers of statistics do not wait for a worker that does not answer. */
const reportLimitMs = 1000;
/** A worker that is busy for longer holds no acknowledgement up. */
const settleLimitMs = 10_000;
/** What a crash can take of the counters. */
const collectPeriodMs = 5000;
/** For a worker that should have ended by itself. */
const stopGraceMs = 5000;
/** Whoever does not answer for so long when its time is over hangs. */
const answerLimitMs = 500;
const terminateLimitMs = 1000;

export interface WorkersOptions {
  readonly count: number;
  readonly log: Log;
  readonly random: () => number;
  readonly resolver: DnsResolver | undefined;
}

type Tell<K extends keyof WorkerCalls> = WorkerCalls[K]['argument'];

export class Workers implements SlotOwner, ChangeFollower {
  readonly clock = systemClock;
  readonly count: number;
  readonly random: () => number;
  readonly slots: readonly WorkerSlot[];
  /** What the main thread's own parts are made with. */
  readonly parts: ThreadParts;
  private readonly ticketSecret: Buffer = makeTicketSecret();
  private readonly log: Log;
  private readonly cells: SharedCells;
  private readonly claims: ListenClaims;
  private readonly resolver: JoinedResolver;
  private readonly journal: ConfigJournal = new ConfigJournal();
  private proxy: RunningProxy | null = null;
  private desk: LineDesk | null = null;
  private died: Counter | null = null;
  private allStarted: Gauge | null = null;
  private onFirstStart: ((error: WeftError | null) => void) | null = null;
  private watch: WorkerWatch | null = null;
  private collectTimer: NodeJS.Timeout | null = null;
  /** Which listeners ask their clients to leave. */
  private drained: DrainScope | null = null;
  /** Which listeners take no new connections any more. */
  private stopped: DrainScope | null = null;

  constructor(options: WorkersOptions) {
    keepFiles();
    this.count = options.count;
    this.random = options.random;
    this.log = options.log;
    this.cells = new SharedCells(options.count, 0);
    this.claims = new ListenClaims(this.clock);
    this.resolver = new JoinedResolver(options.resolver ?? new SystemResolver());
    this.parts = {
      resolver: this.resolver,
      sockets: this.claims,
      shared: this.cells,
      ticketSecret: this.ticketSecret,
    };
    this.slots = Array.from({ length: options.count }, (_, index) => new WorkerSlot(index, this));
  }

  /** Ties them to the parts of the main thread, before any configuration. */
  attach(proxy: RunningProxy): void {
    this.proxy = proxy;
    this.desk = new LineDesk(proxy.sinks, proxy.log);
    this.died = proxy.metrics.scope({ prefix: 'workers' }).counter('died');
    this.allStarted = proxy.metrics.scope({ prefix: 'listener_manager' }).gauge('workers_started');
    this.cells.onMade = (made) => this.tellAll('cells', made);
    this.claims.onOffer = (worker, request) => this.slots[worker]?.channel?.tell('takeOver', request);
    const { slots, log, clock, random } = this;
    const times = readWorkerWatchdog(proxy.bootstrap);
    this.watch = new WorkerWatch({ times, slots, metrics: proxy.metrics, log, clock, random });
    proxy.secrets.onLocal = (name, secret) => this.tellAll('identity', identityPartsOf(name, secret));
    proxy.log.control.onChange = () => this.tellAll('levels', this.levels());
  }

  /** Starts them; resolves when each of them serves, rejects when one of them cannot. */
  start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.onFirstStart = (error) => (error === null ? resolve() : reject(error));
    });
    for (const slot of this.slots) slot.start();
    // Not on the clock's wheel, which ticks as long as anything waits on it.
    this.collectTimer = setInterval(() => void this.collect(), collectPeriodMs);
    this.collectTimer.unref();
    this.watch?.start();
    return started;
  }

  // ---- configuration

  /** Targets that pass on what they take. */
  forward(targets: ResourceTargets): ResourceTargets {
    return forwardTargets(targets, this);
  }

  onChange(change: Change): void {
    this.journal.record(change);
    if (change.kind === 'cluster' && this.proxy !== null)
      this.journal.keepEndpoints(new Set(this.proxy.clusters.wantedEndpointNames));
    this.tellAll('change', change);
  }

  setHealthFailed(isFailed: boolean): void {
    this.tellAll('healthFailed', isFailed);
  }

  onMissingRoute(name: string): void {
    this.journal.recordMissing(name);
    this.tellAll('missingRoute', name);
  }

  /** Calls back when every worker has done what it was told so far. */
  settle(done: () => void): void {
    void this.settled().then(done);
  }

  async settled(): Promise<void> {
    await this.askLive('settle', null, settleLimitMs);
  }

  private tellAll<K extends keyof WorkerCalls & string>(name: K, argument: Tell<K>): void {
    for (const slot of this.slots) slot.channel?.tell(name, argument);
  }

  /** Asks those that serve; who does not answer in time, or dies, is not waited for. */
  private async askLive<K extends keyof WorkerCalls & string>(
    name: K,
    argument: Tell<K>,
    limitMs: number,
    onAnswer: (slot: WorkerSlot, answer: WorkerCalls[K]['answer']) => void = () => {},
  ): Promise<void> {
    const asked = this.slots.map(async (slot) => {
      if (slot.isLive) onAnswer(slot, (await slot.channel?.call(name, argument)) as WorkerCalls[K]['answer']);
    });
    await this.within(limitMs, Promise.allSettled(asked));
  }

  /** Whether the work was over in time, well or not. */
  private within(limitMs: number, work: Promise<unknown>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.clock.start(limitMs, resolve, false);
      const over = (): void => {
        timer.stop();
        resolve(true);
      };
      work.then(over, over);
    });
  }

  // ---- what they say

  /** Brings what is known of every worker up to date. */
  collect(withDecisions = false): Promise<void> {
    return this.askLive('report', { withDecisions }, reportLimitMs, (slot, report) => {
      slot.last = report;
      if (report.decisions !== null) slot.decisions = report.decisions;
    });
  }

  /** Every worker that is there serves, and one is. */
  get isReady(): boolean {
    const live = this.slots.filter((slot) => slot.isLive);
    return live.length > 0 && live.every((slot) => slot.unready.length === 0);
  }

  /** Somebody is there. */
  get isAlive(): boolean {
    return this.slots.some((slot) => slot.isLive);
  }

  unready(): Unready {
    const missing = this.slots.filter((slot) => !slot.isLive).map((slot) => `worker_${slot.index}`);
    const own = missing.length === 0 ? [] : [{ name: 'workers', targets: missing }];
    return [...own, ...this.slots.flatMap((slot) => slot.unready)];
  }

  get connections(): number {
    return this.slots.reduce((sum, slot) => sum + (slot.last?.connections ?? 0), 0);
  }

  // ---- life

  drain(scope: DrainScope): void {
    if (this.drained !== 'all') this.drained = scope;
    this.tellAll('drain', scope);
  }

  stopAccepting(scope: DrainScope): void {
    if (this.stopped !== 'all') this.stopped = scope;
    this.tellAll('stopAccepting', scope);
  }

  /** Each finishes what it does, at most `drainTimeMs`. */
  async stop(drainTimeMs: number): Promise<void> {
    if (this.collectTimer !== null) clearInterval(this.collectTimer);
    this.watch?.stop();
    for (const slot of this.slots) {
      slot.forbidNext();
      if (!slot.isLive) void slot.terminate();
    }
    await Promise.all(this.slots.map((slot) => this.stopOne(slot, drainTimeMs)));
    await this.terminate();
  }

  private async stopOne(slot: WorkerSlot, drainTimeMs: number): Promise<void> {
    const { channel } = slot;
    if (channel === null || !slot.isLive) return;
    const stopped = channel.call('stop', { drainTimeMs }).then((report) => {
      slot.last = report;
    });
    if (await this.within(drainTimeMs, stopped)) return;
    if (!(await this.within(answerLimitMs, channel.call('settle', null)))) {
      this.log.warn('a worker that hangs is ended without draining', { worker: slot.index });
      return;
    }
    await this.within(stopGraceMs, stopped);
  }

  /** Ends every thread, whatever it does; false when one is stuck in the operating system, from where nothing gets it back. */
  terminate(): Promise<boolean> {
    return this.within(terminateLimitMs, Promise.all(this.slots.map((slot) => slot.terminate())));
  }

  // ---- slots

  startOf(index: number): WorkerStart {
    const { proxy } = this;
    const identity = (proxy?.secrets.all() ?? []).filter((secret) => secret.version === 'identity');
    return {
      index,
      bootstrap: encodeMessage('envoy.config.bootstrap.v3.Bootstrap', proxy?.bootstrap ?? {}),
      configPath: proxy?.configPath ?? '',
      files: keptFiles(),
      levels: this.levels(),
      isHealthFailed: proxy?.health.isFailed ?? false,
      drained: this.drained,
      stopped: this.stopped,
      cells: this.cells.all(),
      ticketSecret: this.ticketSecret,
      identity: identity.map((secret) => identityPartsOf(secret.name, secret)),
      changes: this.journal.changes(this.servingListeners()),
      missingRoutes: this.journal.missingRoutes,
    };
  }

  /**
   * Listeners from the control plane that serve by another version than the one that was sent last. Told by what is in them, since not
   * every server names its versions.
   */
  private servingListeners(): Map<string, Entry> {
    const serving = new Map<string, Entry>();
    for (const { compiled, state } of this.proxy?.listeners.all() ?? []) {
      const { name, config, version } = compiled;
      const sent = this.journal.listener(name);
      if (state !== 'active' || sent === null) continue;
      const bytes = encodeMessage('envoy.config.listener.v3.Listener', config);
      if (!Buffer.from(bytes).equals(sent.bytes)) serving.set(name, { bytes, version });
    }
    return serving;
  }

  private levels(): LogLevels {
    const { control } = this.log;
    return { level: control.defaultLevel, components: control.levels() };
  }

  handlersFor(slot: WorkerSlot): Handlers<MainCalls> {
    const { claims } = this;
    const { index } = slot;
    return {
      started: () => slot.onStarted(),
      unready: (unready) => {
        slot.unready = unready;
      },
      listen: (request) => claims.listen(index, request),
      bound: ({ request, port }) => claims.onBound(index, request, port),
      unbound: ({ request, message }) => claims.onUnbound(index, request, new Error(message)),
      closed: (request) => claims.onClosed(index, request),
      resolve: ({ name, family }) => this.resolver.resolve(name, family),
      lines: ({ path, text }) => this.desk?.write(path, text) ?? false,
    };
  }

  onStarted(slot: WorkerSlot): void {
    this.log.debug('a worker serves', { worker: slot.index });
    this.watch?.begin(slot);
    if (!this.slots.every((one) => one.isLive)) return;
    this.allStarted?.set(1);
    this.onFirstStart?.(null);
    this.onFirstStart = null;
  }

  onEnded(slot: WorkerSlot): void {
    this.watch?.end(slot.index);
  }

  onDied(slot: WorkerSlot, failure: unknown, delayMs: number): void {
    this.claims.onWorkerGone(slot.index);
    this.cells.giveBack(slot.index + 1);
    this.died?.inc();
    if (this.onFirstStart !== null) {
      for (const one of this.slots) void one.terminate();
      this.onFirstStart(new WeftError('worker', `worker ${slot.index} cannot start: ${messageOf(failure)}`));
      this.onFirstStart = null;
      return;
    }
    this.log.error('a worker died; the others go on, and another takes its place', {
      worker: slot.index,
      error: failure,
      details: stackOf(failure),
      delayMs: Math.round(delayMs),
    });
  }

  onProblem(slot: WorkerSlot, error: unknown): void {
    this.log.error('what a worker said could not be dealt with', { worker: slot.index, error });
  }
}
