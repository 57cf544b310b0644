// From a metric's scope and short name to Envoy's dotted name and to Prometheus' name with labels.

import { Counter, Gauge, type Metric, type MetricsRegistry, type ScopeName } from '@weft/lib/metrics';

/** One metric with all its names. */
export interface NamedMetric {
  /** `cluster.web.upstream_rq_total` */
  readonly name: string;
  readonly metric: Metric;
  /** `envoy_cluster_upstream_rq_total` */
  readonly prometheusName: string;
  /** `envoy_cluster_name="web"`, or empty. */
  readonly labels: string;
}

/** Every metric of the process, by name. */
export function listMetrics(registry: MetricsRegistry): NamedMetric[] {
  const list: NamedMetric[] = [];
  for (const scope of registry.all()) {
    for (const [short, metric] of scope.metrics) list.push(nameMetric(scope.name, short, metric));
  }
  return list.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Whether anything was ever recorded (for a gauge: whether it is not zero). */
export function isUsed(metric: Metric): boolean {
  if (metric instanceof Counter || metric instanceof Gauge) return metric.value !== 0;
  return metric.count > 0;
}

function nameMetric(scope: ScopeName, short: string, metric: Metric): NamedMetric {
  const { base, label } = splitWorker(short) ?? splitMethod(short) ?? splitStatus(short);
  const own = scope.tag === undefined || scope.value === undefined ? '' : formatLabel(scope.tag, scope.value);
  return {
    name: join([scope.prefix, scope.value ?? '', short], '.'),
    metric,
    prometheusName: `envoy_${join([scope.prefix, base], '_').replace(/[^A-Za-z0-9_]/g, '_')}`,
    labels: [label, own].filter((text) => text !== '').join(','),
  };
}

// Few metrics stand by themselves; they have no prefix.
function join(parts: readonly string[], separator: string): string {
  return parts.filter((part) => part !== '').join(separator);
}

// `worker_0.downstream_cx_total` is `worker_downstream_cx_total` with a label.
function splitWorker(short: string): { base: string; label: string } | null {
  const [, index, rest] = /^worker_(\d+)\.(.*)$/.exec(short) ?? [];
  return index === undefined ? null : { base: `worker_${rest}`, label: formatLabel('envoy_worker_id', index) };
}

// `upstream_rq_2xx` is `upstream_rq_xx` with a label, `upstream_rq_503` is `upstream_rq` with another: so Envoy's tags say.
function splitStatus(short: string): { base: string; label: string } {
  const status = /^(.*_rq)_(?:(\d)xx|(\d{3}))$/.exec(short);
  if (status === null) return { base: short, label: '' };
  const [, base = '', group, code] = status;
  if (group !== undefined) return { base: `${base}_xx`, label: formatLabel('envoy_response_code_class', group) };
  return { base, label: formatLabel('envoy_response_code', code ?? '') };
}

// `grpc.a.B.C.success` is `grpc_success` of a service and a method, by Envoy's labels; names of services have dots themselves.
function splitMethod(short: string): { base: string; label: string } | null {
  const found = /^grpc\.(.+)\.([^.]+)\.([^.]+)$/.exec(short);
  if (found === null) return null;
  const [, service = '', method = '', leaf = ''] = found;
  const labels = [formatLabel('envoy_grpc_bridge_method', method), formatLabel('envoy_grpc_bridge_service', service)];
  return { base: `grpc.${leaf}`, label: labels.join(',') };
}

function formatLabel(name: string, value: string): string {
  const escaped = value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
  return `${name}="${escaped}"`;
}
