// Metrics in Prometheus' text format (version 0.0.4), with Envoy's names and labels.

import { Counter, Gauge, Histogram, histogramBounds } from '@weft/lib/metrics';
import type { NamedMetric } from './metric-name.ts';

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** The text of a scrape: all samples of one metric stand together under their type. */
export function formatPrometheus(metrics: readonly NamedMetric[]): string {
  const groups: Map<string, NamedMetric[]> = new Map();
  for (const metric of metrics) {
    const group = groups.get(metric.prometheusName);
    if (group === undefined) groups.set(metric.prometheusName, [metric]);
    else group.push(metric);
  }
  let text = '';
  for (const [name, group] of [...groups].sort((a, b) => (a[0] < b[0] ? -1 : 1))) text += formatGroup(name, group);
  return text;
}

function formatGroup(name: string, group: readonly NamedMetric[]): string {
  const first = group[0]?.metric;
  const type = first instanceof Counter ? 'counter' : first instanceof Gauge ? 'gauge' : 'histogram';
  let text = `# TYPE ${name} ${type}\n`;
  for (const { metric, labels } of group) {
    text += metric instanceof Histogram ? formatHistogram(name, labels, metric) : sample(name, labels, metric.value);
  }
  return text;
}

function sample(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`;
}

function formatHistogram(name: string, labels: string, histogram: Histogram): string {
  const comma = labels === '' ? '' : ',';
  let text = '';
  let total = 0;
  for (const [i, count] of histogram.counts.entries()) {
    total += count;
    const bound = i < histogramBounds.length ? String(histogramBounds[i]) : '+Inf';
    text += sample(`${name}_bucket`, `${labels}${comma}le="${bound}"`, total);
  }
  return `${text}${sample(`${name}_sum`, labels, histogram.sum)}${sample(`${name}_count`, labels, histogram.count)}`;
}
