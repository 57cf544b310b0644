// The metrics of a process from those of its threads.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MetricsRegistry, type ScopeName } from '@weft/lib/metrics';
import { keepCounts, mergeMetrics } from './merge-metrics.ts';
import type { MetricReport, ScopeReport } from './worker-report.ts';

const cluster: ScopeName = { prefix: 'cluster', tag: 'envoy_cluster_name', value: 'a' };

function counter(name: string, value: number): MetricReport {
  return { kind: 'counter', name, value };
}

function gauge(name: string, value: number): MetricReport {
  return { kind: 'gauge', name, value };
}

function worker(index: number, metrics: readonly MetricReport[], scope = cluster) {
  return { index, current: [{ scope, metrics }] as readonly ScopeReport[], past: new MetricsRegistry() };
}

/** What the main thread has: the cluster, with two hosts. */
function mainThread(): MetricsRegistry {
  const main = new MetricsRegistry();
  const scope = main.scope(cluster);
  scope.gauge('membership_total').set(2);
  scope.gauge('membership_healthy').set(2);
  scope.counter('update_success').add(3);
  return main;
}

describe('metrics of two workers', () => {
  it('are sums of what each counts for itself', () => {
    const merged = mergeMetrics(mainThread(), [
      worker(0, [counter('upstream_rq_total', 2), gauge('upstream_rq_active', 1)]),
      worker(1, [counter('upstream_rq_total', 3), gauge('upstream_rq_active', 4)]),
    ]).scope(cluster);
    assert.equal(merged.counter('upstream_rq_total').value, 5);
    assert.equal(merged.gauge('upstream_rq_active').value, 5);
  });

  it('count changes of configuration once', () => {
    const seen = [counter('update_success', 3), gauge('membership_total', 2)];
    const merged = mergeMetrics(mainThread(), [worker(0, seen), worker(1, seen)]).scope(cluster);
    assert.equal(merged.counter('update_success').value, 3);
    assert.equal(merged.gauge('membership_total').value, 2);
  });

  it('show the hosts that the worst of them has left', () => {
    const merged = mergeMetrics(mainThread(), [
      worker(0, [gauge('membership_healthy', 1), gauge('outlier_detection.ejections_active', 1)]),
      worker(1, [gauge('membership_healthy', 2), gauge('outlier_detection.ejections_active', 0)]),
    ]).scope(cluster);
    assert.equal(merged.gauge('membership_healthy').value, 1);
    assert.equal(merged.gauge('outlier_detection.ejections_active').value, 1);
  });

  it('show that one of them has none left, whichever speaks first', () => {
    for (const healthy of [
      [0, 2],
      [2, 0],
    ]) {
      const workers = healthy.map((value, index) => worker(index, [gauge('membership_healthy', value)]));
      assert.equal(mergeMetrics(mainThread(), workers).scope(cluster).gauge('membership_healthy').value, 0);
    }
  });

  it('count the defects that each came upon', () => {
    const server: ScopeName = { prefix: 'server' };
    const main = mainThread();
    main.scope(server).counter('envoy_bug_failures');
    const report = {
      index: 0,
      current: [{ scope: server, metrics: [counter('envoy_bug_failures', 1)] }],
      past: new MetricsRegistry(),
    };
    assert.equal(mergeMetrics(main, [report]).scope(server).counter('envoy_bug_failures').value, 1);
  });

  it('merge histograms', () => {
    const times = { kind: 'histogram', name: 'upstream_rq_time', counts: [1, 2], sum: 4, count: 3 } as const;
    const merged = mergeMetrics(mainThread(), [worker(0, [times]), worker(1, [times])]).scope(cluster);
    const { counts, sum, count } = merged.histogram('upstream_rq_time');
    assert.deepEqual([counts.slice(0, 3), sum, count], [[2, 4, 0], 8, 6]);
  });

  it('keep the counters of one that died, not its gauges', () => {
    const past = new MetricsRegistry();
    keepCounts(past, [{ scope: cluster, metrics: [counter('upstream_rq_total', 7), gauge('upstream_rq_active', 1)] }]);
    const merged = mergeMetrics(mainThread(), [{ index: 0, current: null, past }]).scope(cluster);
    assert.equal(merged.counter('upstream_rq_total').value, 7);
    assert.equal(merged.gauge('upstream_rq_active').value, 0);
  });

  it('leave out what the main thread has forgotten', () => {
    const gone = { ...cluster, value: 'gone' };
    const merged = mergeMetrics(mainThread(), [worker(0, [counter('upstream_rq_total', 1)], gone)]);
    assert.equal(merged.has(gone), false);
  });

  it('show how connections of a listener spread', () => {
    const listener: ScopeName = { prefix: 'listener', tag: 'envoy_listener_address', value: 'x' };
    const main = mainThread();
    main.scope(listener);
    const merged = mergeMetrics(main, [
      worker(0, [counter('downstream_cx_total', 1)], listener),
      worker(1, [counter('downstream_cx_total', 2)], listener),
    ]).scope(listener);
    assert.equal(merged.counter('downstream_cx_total').value, 3);
    assert.equal(merged.counter('worker_1.downstream_cx_total').value, 2);
  });
});
