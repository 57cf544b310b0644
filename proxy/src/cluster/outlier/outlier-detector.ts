// Passive outlier ejection of one cluster with Envoy's semantics: failures in a row eject at once, rates at each interval; an
// ejected host comes back after base time × ejections.

import type { Clock, Timer } from '@weft/lib/clock';
import type { Scope } from '@weft/lib/metrics';
import type { OutlierConfig } from './outlier-config.ts';
import { OutlierState, type Tally } from './outlier-state.ts';
import { type OutlierReason, OutlierStats } from './outlier-stats.ts';

/** What a detector needs around it. */
export interface OutlierContext {
  readonly clock: Clock;
  readonly scope: Scope;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A host was ejected or came back. */
  readonly onHealthChanged: () => void;
}

export class OutlierDetector {
  readonly config: OutlierConfig;
  private readonly context: OutlierContext;
  private readonly stats: OutlierStats;
  private readonly states: Set<OutlierState> = new Set();
  private ejected = 0;
  private timer: Timer | null = null;

  constructor(config: OutlierConfig, context: OutlierContext) {
    this.config = config;
    this.context = context;
    this.stats = new OutlierStats(context.scope);
  }

  /** Begins to watch a host. */
  add(host: { healthy: boolean; refreshHealth(): void }): OutlierState {
    const state = new OutlierState(this, host);
    this.states.add(state);
    this.timer ??= this.startTimer();
    return state;
  }

  remove(state: OutlierState): void {
    if (!this.states.delete(state)) return;
    if (state.isEjected) this.countEjected(-1);
    if (this.states.size === 0) this.stop();
  }

  stop(): void {
    this.timer?.stop();
    this.timer = null;
  }

  private startTimer(): Timer {
    return this.context.clock.start(this.config.intervalMs, onInterval, this as OutlierDetector);
  }

  /** A host crossed a limit. */
  onOutlier(state: OutlierState, reason: OutlierReason, enforcing: number): void {
    // Requests of a host that is gone end later than the host.
    if (state.isEjected || !this.states.has(state)) return;
    this.stats.detected(reason);
    if (this.context.random() * 100 >= enforcing) return;
    if (!this.mayEject()) {
      this.stats.overflow.inc();
      return;
    }
    this.stats.enforced(reason);
    this.eject(state);
  }

  private mayEject(): boolean {
    if (this.ejected === 0 && this.config.isOneAlwaysEjected) return true;
    return (100 * (this.ejected + 1)) / this.states.size <= this.config.maxEjectionPercent;
  }

  private eject(state: OutlierState): void {
    const { baseEjectionMs, maxEjectionMs, jitterMs } = this.config;
    state.isEjected = true;
    state.ejections++;
    const jitter = this.context.random() * jitterMs;
    const lastsMs = Math.min(baseEjectionMs * state.ejections, maxEjectionMs) + jitter;
    state.ejectedUntilMs = this.context.clock.now() + lastsMs;
    this.countEjected(1);
    state.host.refreshHealth();
    this.context.onHealthChanged();
  }

  private countEjected(change: 1 | -1): void {
    this.ejected += change;
    this.stats.active.set(this.ejected);
  }

  /** End of an interval. */
  sweep(): void {
    this.timer = this.states.size === 0 ? null : this.startTimer();
    const now = this.context.clock.now();
    for (const state of this.states) this.returnOrForgive(state, now);
    this.judge((state) => state.external, false);
    if (this.config.isSplit) this.judge((state) => state.local, true);
    for (const state of this.states) {
      state.external.reset();
      state.local.reset();
    }
  }

  private returnOrForgive(state: OutlierState, now: number): void {
    if (!state.isEjected) {
      if (state.ejections > 0) state.ejections--;
      return;
    }
    if (now < state.ejectedUntilMs) return;
    state.isEjected = false;
    state.resetCounts();
    this.countEjected(-1);
    state.host.refreshHealth();
    this.context.onHealthChanged();
  }

  private judge(tallyOf: (state: OutlierState) => Tally, isLocal: boolean): void {
    this.judgeSuccessRate(tallyOf, isLocal);
    this.judgeFailurePercentage(tallyOf, isLocal);
  }

  private judgeSuccessRate(tallyOf: (state: OutlierState) => Tally, isLocal: boolean): void {
    const { minimumHosts, requestVolume, stdevFactor, enforcing, enforcingLocal } = this.config.successRate;
    const busy = this.busyStates(tallyOf, requestVolume);
    if (busy.length === 0 || busy.length < minimumHosts) return;
    const rates = busy.map((state) => tallyOf(state).successRate);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const threshold = mean - stdevFactor * Math.sqrt(variance);
    const reason = isLocal ? 'local_origin_success_rate' : 'success_rate';
    busy.forEach((state, i) => {
      if ((rates[i] as number) < threshold) this.onOutlier(state, reason, isLocal ? enforcingLocal : enforcing);
    });
  }

  private judgeFailurePercentage(tallyOf: (state: OutlierState) => Tally, isLocal: boolean): void {
    const { minimumHosts, requestVolume, threshold, enforcing, enforcingLocal } = this.config.failurePercentage;
    const busy = this.busyStates(tallyOf, requestVolume);
    if (busy.length === 0 || busy.length < minimumHosts) return;
    const reason = isLocal ? 'local_origin_failure_percentage' : 'failure_percentage';
    for (const state of busy) {
      const failed = 100 - tallyOf(state).successRate;
      if (failed >= threshold) this.onOutlier(state, reason, isLocal ? enforcingLocal : enforcing);
    }
  }

  private busyStates(tallyOf: (state: OutlierState) => Tally, volume: number): OutlierState[] {
    return [...this.states].filter((state) => !state.isEjected && tallyOf(state).total >= Math.max(1, volume));
  }
}

function onInterval(detector: OutlierDetector): void {
  detector.sweep();
}
