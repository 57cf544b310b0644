// What a worker tells of itself when somebody looks: metrics, counts of hosts, decisions, memory.

import { getHeapStatistics } from 'node:v8';
import { Counter, Gauge, type Metric, type MetricsRegistry, type ScopeName } from '@weft/lib/metrics';
import type { RunningProxy } from '../proxy.ts';
import type { Decision } from '../telemetry/decisions.ts';
import { countOpenBytes } from '../upstream/connection-record.ts';

export type MetricReport =
  | { readonly kind: 'counter' | 'gauge'; readonly name: string; readonly value: number }
  | {
      readonly kind: 'histogram';
      readonly name: string;
      readonly counts: readonly number[];
      readonly sum: number;
      readonly count: number;
    };

export interface ScopeReport {
  readonly scope: ScopeName;
  readonly metrics: readonly MetricReport[];
}

/** The counts of one host, as `/clusters` shows them. */
export interface HostCounts {
  cxActive: number;
  cxConnectFail: number;
  cxTotal: number;
  rqActive: number;
  rqError: number;
  rqSuccess: number;
  rqTimeout: number;
  rqTotal: number;
}

export interface HostCountsReport {
  readonly cluster: string;
  readonly key: string;
  readonly isEjected: boolean;
  readonly counts: HostCounts;
}

export interface DecisionsReport {
  readonly total: number;
  readonly list: readonly Decision[];
}

export interface WorkerReport {
  readonly scopes: readonly ScopeReport[];
  readonly hosts: readonly HostCountsReport[];
  readonly connections: number;
  readonly linesWritten: number;
  readonly linesDropped: number;
  readonly heapUsed: number;
  readonly heapTotal: number;
  /** Null unless they were asked for. */
  readonly decisions: DecisionsReport | null;
}

export function makeReport(proxy: RunningProxy, withDecisions: boolean): WorkerReport {
  countOpenBytes();
  const { used_heap_size: heapUsed, total_heap_size: heapTotal } = getHeapStatistics();
  const { decisions } = proxy;
  return {
    scopes: reportMetrics(proxy.metrics),
    hosts: proxy.clusters
      .dump()
      .flatMap(({ current }) => current.allHosts().map((host) => reportHost(current.name, host))),
    connections: proxy.listeners.connections,
    linesWritten: proxy.sinks.writtenLines,
    linesDropped: proxy.sinks.droppedLines,
    heapUsed,
    heapTotal,
    decisions: withDecisions ? { total: decisions.total, list: decisions.recent() } : null,
  };
}

/** Every metric of a thread. */
export function reportMetrics(registry: MetricsRegistry): ScopeReport[] {
  return [...registry.all()].map((scope) => ({
    scope: scope.name,
    metrics: [...scope.metrics].map(([name, metric]) => reportMetric(name, metric)),
  }));
}

export function reportMetric(name: string, metric: Metric): MetricReport {
  if (metric instanceof Counter) return { kind: 'counter', name, value: metric.value };
  if (metric instanceof Gauge) return { kind: 'gauge', name, value: metric.value };
  const { counts, sum, count } = metric;
  return { kind: 'histogram', name, counts, sum, count };
}

type ReportedHost = ReturnType<RunningProxy['clusters']['all']>[number]['hosts'][number];

function reportHost(cluster: string, host: ReportedHost): HostCountsReport {
  const counts = { ...host.stats, rqActive: host.active };
  return { cluster, key: host.key, isEjected: host.outlier?.isEjected === true, counts };
}
