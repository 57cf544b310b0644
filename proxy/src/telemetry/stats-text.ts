// Metrics as Envoy's admin page shows them: `name: value` lines, or JSON, histograms by their quantiles.

import { Histogram, histogramBounds } from '@weft/lib/metrics';
import type { NamedMetric } from './metric-name.ts';

const quantiles = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100];

/** `cluster.web.upstream_rq_total: 5`, one metric per line; histograms come last, as in Envoy. */
export function formatStatsText(metrics: readonly NamedMetric[]): string {
  let numbers = '';
  let histograms = '';
  for (const { name, metric } of metrics) {
    if (metric instanceof Histogram) histograms += `${name}: ${quantileText(metric)}\n`;
    else numbers += `${name}: ${metric.value}\n`;
  }
  return numbers + histograms;
}

/** Envoy's JSON: numbers in order, then one entry that holds every histogram. */
export function statsToJson(metrics: readonly NamedMetric[]): { readonly stats: readonly unknown[] } {
  const stats: unknown[] = [];
  const computed: unknown[] = [];
  for (const { name, metric } of metrics) {
    if (!(metric instanceof Histogram)) {
      stats.push({ name, value: metric.value });
      continue;
    }
    const values = quantiles.map((quantile) => ({ interval: null, cumulative: quantileOf(metric, quantile) }));
    computed.push({ name, values });
  }
  if (computed.length > 0) {
    stats.push({ histograms: { supported_quantiles: quantiles, computed_quantiles: computed } });
  }
  return { stats };
}

// Envoy shows `P50(interval,cumulative)`; there is no interval here, as nothing is flushed.
function quantileText(histogram: Histogram): string {
  if (histogram.count === 0) return 'No recorded values';
  return quantiles.map((quantile) => `P${quantile}(nan,${trim(quantileOf(histogram, quantile) ?? 0)})`).join(' ');
}

function trim(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** The value below which that percentage lies, interpolated within its bucket; null when nothing was recorded. */
export function quantileOf(histogram: Histogram, percent: number): number | null {
  if (histogram.count === 0) return null;
  const wanted = (percent / 100) * histogram.count;
  let before = 0;
  for (const [i, count] of histogram.counts.entries()) {
    if (count === 0 || before + count < wanted) {
      before += count;
      continue;
    }
    const lower = i === 0 ? 0 : (histogramBounds[i - 1] ?? 0);
    const upper = histogramBounds[i] ?? lower;
    return lower + ((wanted - before) / count) * (upper - lower);
  }
  return histogramBounds.at(-1) ?? 0;
}
