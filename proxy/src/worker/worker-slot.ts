// The place of one worker: the thread that has it now, what it said last, and what those before it counted.

import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '@weft/lib/clock';
import { MetricsRegistry } from '@weft/lib/metrics';
import { BackOff } from '../xds/back-off.ts';
import { Channel, type Handlers } from './channel.ts';
import { HostCountsSum } from './host-counts.ts';
import { keepCounts, type WorkerMetrics } from './merge-metrics.ts';
import type { MainCalls, Unready, WorkerCalls, WorkerStart } from './messages.ts';
import type { DecisionsReport, WorkerReport } from './worker-report.ts';

const entry = new URL('../../worker.mjs', import.meta.url);
const baseDelayMs = 200;
const maxDelayMs = 30_000;
const minHeapMb = 128;
/** A worker that has lived for so long has not died of how it was started. */
const provenMs = 60_000;

/** What a slot asks of the whole. */
export interface SlotOwner {
  readonly clock: Clock;
  readonly random: () => number;
  readonly count: number;
  /** From what a worker starts now. */
  startOf(index: number): WorkerStart;
  handlersFor(slot: WorkerSlot): Handlers<MainCalls>;
  onStarted(slot: WorkerSlot): void;
  /** The thread is gone, for whatever reason. */
  onEnded(slot: WorkerSlot): void;
  /** Another comes in `delayMs`. */
  onDied(slot: WorkerSlot, failure: unknown, delayMs: number): void;
  onProblem(slot: WorkerSlot, error: unknown): void;
}

export class WorkerSlot {
  readonly index: number;
  /** Of the worker that is there, started or not. */
  channel: Channel<MainCalls, WorkerCalls> | null = null;
  isLive = false;
  unready: Unready = [];
  last: WorkerReport | null = null;
  /** As they were when they were last asked for. */
  decisions: DecisionsReport | null = null;
  readonly past: MetricsRegistry = new MetricsRegistry();
  readonly pastHosts: HostCountsSum = new HostCountsSum();
  pastLinesWritten = 0;
  pastLinesDropped = 0;
  private readonly owner: SlotOwner;
  private readonly backOff: BackOff;
  thread: Worker | null = null;
  private failure: unknown = null;
  private timer: Timer | null = null;
  private isStopped = false;

  constructor(index: number, owner: SlotOwner) {
    this.index = index;
    this.owner = owner;
    this.backOff = new BackOff(baseDelayMs, maxDelayMs, owner.random);
  }

  get metrics(): WorkerMetrics {
    return { index: this.index, current: this.last?.scopes ?? null, past: this.past };
  }

  start(): void {
    this.timer = null;
    const { owner, index } = this;
    const thread = new Worker(entry, {
      name: `worker ${index}`,
      resourceLimits: { maxOldGenerationSizeMb: heapLimitMb(owner.count) },
      workerData: { start: owner.startOf(index), workers: owner.count, compileCache: compileCacheFolder() },
    });
    this.thread = thread;
    this.failure = null;
    this.channel = new Channel<MainCalls, WorkerCalls>(thread, owner.handlersFor(this));
    this.channel.onError = (error) => owner.onProblem(this, error);
    thread.on('error', (error) => {
      this.failure ??= error;
    });
    thread.on('exit', (status) => this.onExit(status));
  }

  /** The worker says that it serves. */
  onStarted(): void {
    this.isLive = true;
    this.timer = this.owner.clock.start(provenMs, onProven, this);
    this.owner.onStarted(this);
  }

  /** Called by the timer. */
  onProven(): void {
    this.timer = null;
    this.backOff.reset();
  }

  private onExit(status: number): void {
    this.channel?.close();
    this.channel = null;
    this.thread = null;
    this.isLive = false;
    this.unready = [];
    this.timer?.stop();
    this.timer = null;
    this.owner.onEnded(this);
    if (this.isStopped) return;
    this.retire();
    const delayMs = this.backOff.nextMs();
    this.owner.onDied(this, this.failure ?? new Error(`it ended with status ${status}`), delayMs);
    if (!this.isStopped) this.timer = this.owner.clock.start(delayMs, startAgain, this);
  }

  // Counters never go back; gauges went with the worker.
  private retire(): void {
    const { last } = this;
    if (last === null) return;
    keepCounts(this.past, last.scopes);
    this.pastHosts.addEnded(last.hosts);
    this.pastLinesWritten += last.linesWritten;
    this.pastLinesDropped += last.linesDropped;
    this.last = null;
  }

  /** Called by the timer. */
  startAgain(): void {
    if (!this.isStopped) this.start();
  }

  /** No worker comes after this one. */
  forbidNext(): void {
    this.isStopped = true;
    this.timer?.stop();
    this.timer = null;
  }

  /** Ends a thread that is of no use any more; another takes its place. */
  abort(failure: Error): void {
    this.failure = failure;
    void this.thread?.terminate();
  }

  /** Ends the thread, whatever it does. */
  async terminate(): Promise<void> {
    this.forbidNext();
    await this.thread?.terminate();
  }
}

// Together they get what one would have, so that the process stays within what Node found fitting for the machine.
function heapLimitMb(workers: number): number {
  return Math.max(minHeapMb, Math.floor(getHeapStatistics().heap_size_limit / workers / 2 ** 20));
}

// Node adds a folder per version to the one it is given.
function compileCacheFolder(): string | undefined {
  const used = getCompileCacheDir();
  return used === undefined ? undefined : dirname(used);
}

function onProven(slot: WorkerSlot): void {
  slot.onProven();
}

function startAgain(slot: WorkerSlot): void {
  slot.startAgain();
}
