// Notices worker threads whose event loop hangs. An idle one is not woken for it: that it waits for events is sign of life enough,
// and the main thread can read that from outside. Only one that has not waited since the last look is asked to answer.

import type { Clock } from '@weft/lib/clock';
import type { WatchdogTimes } from '../../bootstrap/watchdog.ts';

/** A thread, seen from outside. */
export interface WatchedThread {
  readonly index: number;
  /** How long its event loop has waited for events so far. */
  idleMs(): number;
  /** Answered in a turn of its event loop; rejects when the thread is gone. */
  ping(): Promise<unknown>;
}

/** `silentMs` is how long there was no sign of life. */
export interface WatchdogEvents {
  onMiss(index: number): void;
  onMegaMiss(index: number, silentMs: number): void;
  /** After a mega miss. */
  onBack(index: number, silentMs: number): void;
  /** It is watched no more. */
  onKill(index: number, silentMs: number): void;
}

interface Watched {
  readonly thread: WatchedThread;
  readonly jitterMs: number;
  idleMs: number;
  aliveMs: number;
  isAsked: boolean;
  isMissed: boolean;
  isMegaMissed: boolean;
}

const leastPeriodMs = 10;

export class Watchdog {
  /** How often `look` is to be called; infinite when there is nothing to look for. */
  readonly periodMs: number;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly times: WatchdogTimes;
  private readonly events: WatchdogEvents;
  private readonly watched: Map<number, Watched> = new Map();
  private lookedMs: number;

  constructor(times: WatchdogTimes, events: WatchdogEvents, clock: Clock, random: () => number) {
    this.times = times;
    this.events = events;
    this.clock = clock;
    this.random = random;
    this.lookedMs = clock.now();
    const waits = [times.missMs, times.megaMissMs, times.killMs, times.multiKillMs].filter((ms) => ms > 0);
    this.periodMs = Math.max(leastPeriodMs, Math.min(...waits) / 2);
  }

  /** The thread serves. */
  begin(thread: WatchedThread): void {
    this.watched.set(thread.index, {
      thread,
      jitterMs: this.times.killJitterMs * this.random(),
      idleMs: thread.idleMs(),
      aliveMs: this.clock.now(),
      isAsked: false,
      isMissed: false,
      isMegaMissed: false,
    });
  }

  /** The thread is gone. */
  end(index: number): void {
    this.watched.delete(index);
  }

  look(): void {
    const nowMs = this.clock.now();
    // While this thread did not run either (the process was stopped, the machine slept or is overloaded), nobody can be blamed.
    const lateMs = Math.max(0, nowMs - this.lookedMs - this.periodMs);
    this.lookedMs = nowMs;
    for (const one of this.watched.values()) {
      one.aliveMs = Math.min(nowMs, one.aliveMs + lateMs);
      this.lookAt(one, nowMs);
    }
    this.endMany(nowMs);
  }

  private lookAt(one: Watched, nowMs: number): void {
    const idleMs = one.thread.idleMs();
    if (idleMs > one.idleMs) {
      one.idleMs = idleMs;
      this.onSign(one, nowMs);
      return;
    }
    this.ask(one);
    const { missMs, megaMissMs, killMs } = this.times;
    const silentMs = nowMs - one.aliveMs;
    const { index } = one.thread;
    if (!one.isMissed && isOver(silentMs, missMs)) {
      one.isMissed = true;
      this.events.onMiss(index);
    }
    if (!one.isMegaMissed && isOver(silentMs, megaMissMs)) {
      one.isMegaMissed = true;
      this.events.onMegaMiss(index, silentMs);
    }
    if (killMs > 0 && silentMs >= killMs + one.jitterMs) this.kill(one, silentMs);
  }

  private ask(one: Watched): void {
    if (one.isAsked) return;
    one.isAsked = true;
    one.thread.ping().then(
      () => {
        one.isAsked = false;
        this.onSign(one, this.clock.now());
      },
      () => {},
    );
  }

  private onSign(one: Watched, nowMs: number): void {
    if (one.isMegaMissed) this.events.onBack(one.thread.index, nowMs - one.aliveMs);
    one.aliveMs = nowMs;
    one.isMissed = false;
    one.isMegaMissed = false;
  }

  private endMany(nowMs: number): void {
    const { multiKillMs, multiKillPercent } = this.times;
    if (multiKillMs === 0) return;
    const silent = [...this.watched.values()].filter((one) => nowMs - one.aliveMs >= multiKillMs);
    const enough = Math.max(2, Math.ceil((this.watched.size * multiKillPercent) / 100));
    if (silent.length < enough) return;
    for (const one of silent) this.kill(one, nowMs - one.aliveMs);
  }

  private kill(one: Watched, silentMs: number): void {
    const { index } = one.thread;
    this.watched.delete(index);
    this.events.onKill(index, silentMs);
  }
}

function isOver(silentMs: number, limitMs: number): boolean {
  return limitMs > 0 && silentMs >= limitMs;
}
