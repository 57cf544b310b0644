// What is done about workers that hang: counted as Envoy counts, said once, and replaced where the bootstrap says so.

import type { Clock } from '@weft/lib/clock';
import type { Log } from '@weft/lib/log';
import type { Counter, MetricsRegistry } from '@weft/lib/metrics';
import type { WatchdogTimes } from '../../bootstrap/watchdog.ts';
import type { WorkerSlot } from '../worker-slot.ts';
import { Watchdog, type WatchdogEvents } from './watchdog.ts';

/** How long a thread that is to end may take: one that is stuck in the system never does. */
const endLimitMs = 5000;

export interface WorkerWatchOptions {
  readonly times: WatchdogTimes;
  readonly slots: readonly WorkerSlot[];
  readonly metrics: MetricsRegistry;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
}

interface MissCounters {
  readonly miss: Counter;
  readonly megaMiss: Counter;
}

export class WorkerWatch implements WatchdogEvents {
  private readonly slots: readonly WorkerSlot[];
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly watchdog: Watchdog;
  private readonly all: MissCounters;
  private readonly each: readonly MissCounters[];
  private timer: NodeJS.Timeout | null = null;

  constructor({ times, slots, metrics, log, clock, random }: WorkerWatchOptions) {
    this.slots = slots;
    this.log = log;
    this.clock = clock;
    this.watchdog = new Watchdog(times, this, clock, random);
    const workers = metrics.scope({ prefix: 'workers' });
    this.all = { miss: workers.counter('watchdog_miss'), megaMiss: workers.counter('watchdog_mega_miss') };
    const server = metrics.scope({ prefix: 'server' });
    this.each = slots.map(({ index }) => ({
      miss: server.counter(`worker_${index}.watchdog_miss`),
      megaMiss: server.counter(`worker_${index}.watchdog_mega_miss`),
    }));
  }

  /** A timer of its own: on the clock's wheel it would keep that ticking. */
  start(): void {
    const { periodMs } = this.watchdog;
    if (!Number.isFinite(periodMs)) return;
    this.timer = setInterval(() => this.watchdog.look(), periodMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  begin({ index, thread, channel }: WorkerSlot): void {
    if (thread === null || channel === null) return;
    this.watchdog.begin({
      index,
      idleMs: () => thread.performance.eventLoopUtilization().idle,
      ping: () => channel.call('settle', null),
    });
  }

  end(index: number): void {
    this.watchdog.end(index);
  }

  // ---- what the watchdog finds

  onMiss(index: number): void {
    this.all.miss.inc();
    this.each[index]?.miss.inc();
  }

  onMegaMiss(index: number, silentMs: number): void {
    this.all.megaMiss.inc();
    this.each[index]?.megaMiss.inc();
    const durationMs = Math.round(silentMs);
    this.log.warn('a worker hangs: its connections wait, the other workers go on', { worker: index, durationMs });
  }

  onBack(index: number, silentMs: number): void {
    this.log.warn('a worker that hung goes on', { worker: index, durationMs: Math.round(silentMs) });
  }

  onKill(index: number, silentMs: number): void {
    const slot = this.slots[index];
    const thread = slot?.thread ?? null;
    slot?.abort(new Error(`it gave no sign of life for ${Math.round(silentMs)} ms (worker_watchdog)`));
    this.clock.start(
      endLimitMs,
      () => {
        if (thread !== null && slot?.thread === thread) this.log.error(stuckMessage, { worker: index });
      },
      undefined,
    );
  }
}

const stuckMessage =
  'a worker that hangs cannot be ended: it is stuck in the operating system, maybe reading a file; restart the proxy';
