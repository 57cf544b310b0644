import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MetricsRegistry } from '@weft/lib/metrics';
import { isUsed, listMetrics } from './metric-name.ts';
import { formatPrometheus } from './prometheus.ts';
import { formatStatsText, quantileOf, statsToJson } from './stats-text.ts';

function sample(): MetricsRegistry {
  const registry = new MetricsRegistry();
  const web = registry.scope({ prefix: 'cluster', tag: 'envoy_cluster_name', value: 'web' });
  web.counter('upstream_rq_total').add(5);
  web.counter('upstream_rq_2xx').add(4);
  web.counter('upstream_rq_503').add(1);
  web.gauge('upstream_cx_active');
  const odd = registry.scope({ prefix: 'cluster', tag: 'envoy_cluster_name', value: 'a"b\\c\nd' });
  odd.counter('upstream_rq_total').inc();
  registry.scope({ prefix: 'server' }).gauge('live').set(1);
  return registry;
}

describe('metric names', () => {
  it('are Envoy’s, sorted', () => {
    assert.equal(
      formatStatsText(listMetrics(sample())),
      'cluster.a"b\\c\nd.upstream_rq_total: 1\n' +
        'cluster.web.upstream_cx_active: 0\n' +
        'cluster.web.upstream_rq_2xx: 4\n' +
        'cluster.web.upstream_rq_503: 1\n' +
        'cluster.web.upstream_rq_total: 5\n' +
        'server.live: 1\n',
    );
  });

  it('are used once something was recorded', () => {
    const used = listMetrics(sample()).filter(({ metric }) => isUsed(metric));
    assert.equal(
      used.some(({ name }) => name.endsWith('upstream_cx_active')),
      false,
    );
    assert.equal(used.length, 5);
  });
});

describe('Prometheus text', () => {
  it('groups samples under one type, with status codes as labels and label values escaped', () => {
    assert.equal(
      formatPrometheus(listMetrics(sample())),
      '# TYPE envoy_cluster_upstream_cx_active gauge\n' +
        'envoy_cluster_upstream_cx_active{envoy_cluster_name="web"} 0\n' +
        '# TYPE envoy_cluster_upstream_rq counter\n' +
        'envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="web"} 1\n' +
        '# TYPE envoy_cluster_upstream_rq_total counter\n' +
        'envoy_cluster_upstream_rq_total{envoy_cluster_name="a\\"b\\\\c\\nd"} 1\n' +
        'envoy_cluster_upstream_rq_total{envoy_cluster_name="web"} 5\n' +
        '# TYPE envoy_cluster_upstream_rq_xx counter\n' +
        'envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="web"} 4\n' +
        '# TYPE envoy_server_live gauge\n' +
        'envoy_server_live 1\n',
    );
  });

  it('gives methods of gRPC as labels', () => {
    const registry = new MetricsRegistry();
    const web = registry.scope({ prefix: 'cluster', tag: 'envoy_cluster_name', value: 'web' });
    web.counter('grpc.shop.v1.Cart.Add.success').inc();
    web.counter('grpc.success').inc();
    const lines = formatPrometheus(listMetrics(registry)).split('\n');
    const labels = 'envoy_grpc_bridge_method="Add",envoy_grpc_bridge_service="shop.v1.Cart",envoy_cluster_name="web"';
    assert.ok(lines.includes(`envoy_cluster_grpc_success{${labels}} 1`), lines.join('\n'));
    assert.ok(lines.includes('envoy_cluster_grpc_success{envoy_cluster_name="web"} 1'));
  });

  it('writes histograms as cumulative buckets', () => {
    const registry = new MetricsRegistry();
    const time = registry
      .scope({ prefix: 'cluster', tag: 'envoy_cluster_name', value: 'w' })
      .histogram('upstream_rq_time');
    for (const value of [0.2, 3, 3, 7_200_000]) time.record(value);
    const lines = formatPrometheus(listMetrics(registry)).split('\n');
    assert.equal(lines[0], '# TYPE envoy_cluster_upstream_rq_time histogram');
    assert.equal(lines[1], 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="w",le="0.5"} 1');
    assert.equal(lines[3], 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="w",le="5"} 3');
    assert.equal(lines.at(-4), 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="w",le="+Inf"} 4');
    assert.equal(lines.at(-3), 'envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="w"} 7200006.2');
    assert.equal(lines.at(-2), 'envoy_cluster_upstream_rq_time_count{envoy_cluster_name="w"} 4');
  });
});

describe('quantiles', () => {
  const histogram = new MetricsRegistry().scope({ prefix: 'x' }).histogram('t');

  it('say so when there is nothing', () => {
    const registry = new MetricsRegistry();
    registry.scope({ prefix: 'x' }).histogram('t');
    assert.equal(formatStatsText(listMetrics(registry)), 'x.t: No recorded values\n');
    assert.equal(quantileOf(histogram, 50), null);
  });

  it('are interpolated within their bucket', () => {
    for (let i = 0; i < 10; i++) histogram.record(7);
    assert.equal(quantileOf(histogram, 0), 5);
    assert.equal(quantileOf(histogram, 50), 7.5);
    assert.equal(quantileOf(histogram, 100), 10);
  });

  it('have Envoy’s JSON', () => {
    const registry = new MetricsRegistry();
    registry.scope({ prefix: 'x' }).histogram('t').record(7);
    registry.scope({ prefix: 'x' }).counter('c').inc();
    const [counter, histograms] = statsToJson(listMetrics(registry)).stats as [
      unknown,
      { histograms: { computed_quantiles: unknown[] } },
    ];
    assert.deepEqual(counter, { name: 'x.c', value: 1 });
    assert.equal(histograms.histograms.computed_quantiles.length, 1);
  });
});
