// The metrics of the process, made from those of its threads when somebody looks.

import { type Gauge, type Histogram, MetricsRegistry, type Scope } from '@weft/lib/metrics';
import { type MergeRule, mergeRule } from './merge-rule.ts';
import { type MetricReport, reportMetric, reportMetrics, type ScopeReport } from './worker-report.ts';

/** What one worker counts, and those that were in its place before counted. */
export interface WorkerMetrics {
  readonly index: number;
  /** Null while there is none. */
  readonly current: readonly ScopeReport[] | null;
  /** Counters and histograms of those that died. */
  readonly past: MetricsRegistry;
}

/** Adds a report's counters and histograms to what is kept of workers that are gone; their gauges went with them. */
export function keepCounts(past: MetricsRegistry, report: readonly ScopeReport[]): void {
  for (const { scope: name, metrics } of report) {
    const scope = past.scope(name);
    for (const metric of metrics) if (metric.kind !== 'gauge') addTo(scope, metric, 'sum');
  }
}

/** Scopes are those of the main thread: what it has forgotten is gone. */
export function mergeMetrics(main: MetricsRegistry, workers: readonly WorkerMetrics[]): MetricsRegistry {
  const merged = new MetricsRegistry();
  for (const { name, metrics } of main.all()) {
    const scope = merged.scope(name);
    for (const [short, metric] of metrics) addTo(scope, reportMetric(short, metric), 'sum');
  }
  const judged: Set<Gauge> = new Set();
  for (const worker of workers) {
    for (const report of [...reportMetrics(worker.past), ...(worker.current ?? [])])
      addReport({ main, merged, judged }, report, worker.index);
  }
  return merged;
}

interface Merge {
  readonly main: MetricsRegistry;
  readonly merged: MetricsRegistry;
  /** Gauges of which a worker has spoken. */
  readonly judged: Set<Gauge>;
}

function addReport({ main, merged, judged }: Merge, report: ScopeReport, index: number): void {
  if (!main.has(report.scope)) return;
  const scope = merged.scope(report.scope);
  const { prefix } = report.scope;
  for (const metric of report.metrics) {
    addTo(scope, metric, mergeRule(prefix, metric.name), judged);
    // As Envoy, listeners show how connections spread.
    if (prefix !== 'listener' || !/^downstream_cx_(?:total|active)$/.test(metric.name)) continue;
    addTo(scope, { ...metric, name: `worker_${index}.${metric.name}` }, 'sum');
  }
}

function addTo(scope: Scope, metric: MetricReport, rule: MergeRule, judged?: Set<Gauge>): void {
  if (rule === 'main') return;
  if (metric.kind === 'counter') scope.counter(metric.name).value += metric.value;
  else if (metric.kind === 'histogram') addHistogram(scope.histogram(metric.name), metric);
  else addGauge(scope.gauge(metric.name), metric.value, rule, judged);
}

function addGauge(gauge: Gauge, value: number, rule: MergeRule, judged?: Set<Gauge>): void {
  if (rule === 'sum') gauge.value += value;
  else if (rule === 'most') gauge.value = Math.max(gauge.value, value);
  else {
    // Nought is what the main thread says where hosts are made on demand: it makes none.
    const isSaid = gauge.value > 0 || judged?.has(gauge) === true;
    gauge.value = isSaid ? Math.min(gauge.value, value) : value;
    judged?.add(gauge);
  }
}

function addHistogram(histogram: Histogram, added: MetricReport & { readonly kind: 'histogram' }): void {
  for (const [i, count] of added.counts.entries()) histogram.counts[i] = (histogram.counts[i] ?? 0) + count;
  histogram.sum += added.sum;
  histogram.count += added.count;
}
