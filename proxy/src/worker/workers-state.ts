// The admin pages' view of a process with several workers: what its threads say, added up.

import { RunningState } from '../admin/running-state.ts';
import type { ClusterReport, HostReport, MemoryReport, PageWait } from '../admin/state.ts';
import type { DrainScope } from '../listener/listener-set.ts';
import type { RunningProxy } from '../proxy.ts';
import type { Decision, DecisionView } from '../telemetry/decisions.ts';
import { HostCountsSum } from './host-counts.ts';
import { mergeMetrics } from './merge-metrics.ts';
import type { WorkerSlot } from './worker-slot.ts';
import type { Workers } from './workers.ts';

export class WorkersState extends RunningState {
  private readonly workers: Workers;

  constructor(proxy: RunningProxy, workers: Workers) {
    super(proxy);
    this.workers = workers;
    this.decisions = new MergedDecisions(workers.slots);
  }

  override get concurrency(): number {
    return this.workers.count;
  }

  override get wait(): PageWait {
    const { workers } = this;
    return {
      before: (path) => workers.collect(path.startsWith('/decisions')),
      after: () => workers.settled(),
    };
  }

  override refreshMetrics(): void {
    for (const cluster of this.proxy.clusters.all()) cluster.showBreakers();
    super.refreshMetrics();
    this.metrics = mergeMetrics(
      this.proxy.metrics,
      this.workers.slots.map((slot) => slot.metrics),
    );
  }

  override get connections(): number {
    return this.workers.connections;
  }

  override accessLogLines(): { written: number; dropped: number } {
    const { slots } = this.workers;
    return {
      written: sum(slots, (slot) => slot.pastLinesWritten + (slot.last?.linesWritten ?? 0)),
      dropped: sum(slots, (slot) => slot.pastLinesDropped + (slot.last?.linesDropped ?? 0)),
    };
  }

  override memory(): MemoryReport {
    const own = super.memory();
    const { slots } = this.workers;
    return {
      ...own,
      heapUsed: own.heapUsed + sum(slots, (slot) => slot.last?.heapUsed ?? 0),
      heapTotal: own.heapTotal + sum(slots, (slot) => slot.last?.heapTotal ?? 0),
    };
  }

  override clusters(): readonly ClusterReport[] {
    const counts = new HostCountsSum();
    for (const slot of this.workers.slots) {
      counts.addAll(slot.pastHosts);
      counts.add(slot.last?.hosts ?? []);
    }
    return super.clusters().map((cluster) => ({
      ...cluster,
      hosts: cluster.hosts.map((host) => withCounts(cluster.name, host, counts)),
    }));
  }

  protected override drain(scope: DrainScope): void {
    this.workers.drain(scope);
    super.drain(scope);
  }

  override setHealthCheckFailed(isFailed: boolean): void {
    super.setHealthCheckFailed(isFailed);
    this.workers.setHealthFailed(isFailed);
  }

  protected override stopAccepting(scope: DrainScope): void {
    this.workers.stopAccepting(scope);
    super.stopAccepting(scope);
  }
}

function sum(slots: readonly WorkerSlot[], of: (slot: WorkerSlot) => number): number {
  return slots.reduce((total, slot) => total + of(slot), 0);
}

function withCounts(cluster: string, host: HostReport, counts: HostCountsSum): HostReport {
  const found = counts.get(cluster, host.key);
  return found === null ? host : { ...host, ...found.counts, isEjected: found.isEjected };
}

/** Decisions of every worker that is there; ids differ between them. */
class MergedDecisions implements DecisionView {
  private readonly slots: readonly WorkerSlot[];

  constructor(slots: readonly WorkerSlot[]) {
    this.slots = slots;
  }

  get total(): number {
    return sum(this.slots, (slot) => slot.decisions?.total ?? 0);
  }

  recent(limit = Number.POSITIVE_INFINITY): Decision[] {
    const all = this.slots.flatMap((slot) => slot.decisions?.list ?? []);
    return all.sort((a, b) => b.timeMs - a.timeMs).slice(0, limit);
  }

  find(id: string): Decision | null {
    return this.recent().find((decision) => decision.id === id) ?? null;
  }
}
