// `/stats` and `/stats/prometheus`: every metric, filtered by name, as text, JSON or for a scrape.

import { messageOf } from '@weft/lib/error';
import { Counter, Gauge } from '@weft/lib/metrics';
import { compileRegex, type Regex } from '@weft/lib/regex/regex';
import { isUsed, listMetrics, type NamedMetric } from '../../telemetry/metric-name.ts';
import { formatPrometheus, prometheusContentType } from '../../telemetry/prometheus.ts';
import { formatStatsText, statsToJson } from '../../telemetry/stats-text.ts';
import { type AdminReply, type AdminRequest, hasFlag, jsonReply, textReply } from '../reply.ts';
import type { AdminState } from '../state.ts';

/** `?format=json|prometheus`, `?filter=RE2`, `?usedonly`, `?type=Counters|Gauges|Histograms`. */
export function statsPage(state: AdminState, request: AdminRequest): AdminReply {
  const format = request.query.get('format') ?? 'text';
  if (!['text', 'json', 'prometheus'].includes(format)) {
    return textReply(`format '${format}' is not known; use text, json or prometheus\n`, 400);
  }
  const metrics = select(state, request.query);
  if (typeof metrics === 'string') return textReply(metrics, 400);
  if (format === 'json') return jsonReply(statsToJson(metrics));
  return format === 'text' ? textReply(formatStatsText(metrics)) : scrape(metrics);
}

export function prometheusPage(state: AdminState, request: AdminRequest): AdminReply {
  const metrics = select(state, request.query);
  return typeof metrics === 'string' ? textReply(metrics, 400) : scrape(metrics);
}

function scrape(metrics: readonly NamedMetric[]): AdminReply {
  return { status: 200, type: prometheusContentType, body: formatPrometheus(metrics) };
}

const kinds: Readonly<Record<string, (named: NamedMetric) => boolean>> = {
  All: () => true,
  Counters: ({ metric }) => metric instanceof Counter,
  Gauges: ({ metric }) => metric instanceof Gauge,
  Histograms: ({ metric }) => !(metric instanceof Counter) && !(metric instanceof Gauge),
};

function select(state: AdminState, query: URLSearchParams): NamedMetric[] | string {
  const kindName = query.get('type') ?? 'All';
  const isKind = Object.hasOwn(kinds, kindName) ? kinds[kindName] : undefined;
  if (isKind === undefined) return `type '${kindName}' is not known; use ${Object.keys(kinds).join(', ')}\n`;
  let filter: Regex | null = null;
  try {
    const pattern = query.get('filter');
    if (pattern !== null && pattern !== '') filter = compileRegex(pattern);
  } catch (error) {
    return `filter: ${messageOf(error)}\n`;
  }
  const isUsedOnly = hasFlag(query, 'usedonly');
  state.refreshMetrics();
  return listMetrics(state.metrics).filter(
    (named) => isKind(named) && (!isUsedOnly || isUsed(named.metric)) && (filter === null || filter.find(named.name)),
  );
}
