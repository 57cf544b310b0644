// docs/metrics.md: every metric that the source of the proxy records, found where it is made.

import type { SourceFile } from '../source/source-file.ts';
import { metricHelp } from './metric-help.ts';

export interface FoundMetric {
  readonly kind: string;
  /** `*` for a part that varies. */
  readonly name: string;
  readonly path: string;
}

/** Which scope the files of a folder record in; the longest prefix counts. */
const scopes: readonly (readonly [prefix: string, scope: string])[] = [
  ['proxy/src/admin/', 'server, access_log'],
  ['proxy/src/cluster/', 'cluster.NAME'],
  ['proxy/src/cluster/cluster-set.ts', 'cluster_manager'],
  ['proxy/src/http-filter/', 'http.STAT_PREFIX'],
  ['proxy/src/http-filter/grpc-stats/', 'cluster.NAME'],
  ['proxy/src/io/', 'file_descriptors'],
  ['proxy/src/listener/', 'listener.ADDRESS'],
  ['proxy/src/listener/listener-set.ts', 'listener_manager'],
  ['proxy/src/listener/proxy-protocol/', 'proxy_proto.STAT_PREFIX'],
  ['proxy/src/network-filter/http-connection-manager/', 'http.STAT_PREFIX'],
  ['proxy/src/network-filter/http-connection-manager/codec-stats.ts', 'http1, http2'],
  ['proxy/src/upstream/http2-stats.ts', 'http2, cluster.NAME.http2'],
  ['proxy/src/network-filter/tcp-proxy/', 'tcp.STAT_PREFIX'],
  ['proxy/src/proxy.ts', 'server'],
  ['proxy/src/route/', 'http.STAT_PREFIX.rds.NAME'],
  ['proxy/src/security/tls-stats.ts', 'listener.ADDRESS, cluster.NAME'],
  ['proxy/src/security/rbac.ts', 'http.STAT_PREFIX, listener.ADDRESS'],
  ['proxy/src/worker/', 'workers, listener_manager, server'],
  ['proxy/src/xds/ads-client.ts', 'control_plane'],
  ['proxy/src/xds/resource-channel.ts', 'listener_manager.lds, cluster_manager.cds, cluster_manager.eds, rds, sds'],
];

/** Names that a file makes relative to a prefix of its own. */
const prefixes: Readonly<Record<string, string>> = { 'proxy/src/cluster/breaker/breakers.ts': 'circuit_breakers.*.' };

/** Every metric made by a literal or template name. */
export function findMetrics(sources: readonly SourceFile[]): FoundMetric[] {
  const found: FoundMetric[] = [];
  for (const source of sources) {
    if (!source.path.startsWith('proxy/src/')) continue;
    for (const match of source.text.matchAll(/\b(counter|gauge|histogram)\(\s*(?:'([^']+)'|`([^`]+)`)/g)) {
      const name = match[2] ?? (match[3] ?? '').replace(/\$\{[^}]*\}/g, '*');
      const prefix = prefixes[source.path] ?? '';
      found.push({ kind: match[1] ?? '', name: name.startsWith(prefix) ? name : prefix + name, path: source.path });
    }
  }
  return found;
}

/** The page's text. */
export function metricsPage(sources: readonly SourceFile[]): string {
  const byScope: Map<string, Map<string, FoundMetric>> = new Map();
  for (const metric of findMetrics(sources)) {
    const scope = scopeOf(metric.path);
    const list = byScope.get(scope) ?? new Map<string, FoundMetric>();
    byScope.set(scope, list.set(metric.name, metric));
  }
  const sections = [...byScope].sort(([a], [b]) => (a < b ? -1 : 1)).map(([scope, list]) => section(scope, list));
  return `${opening}\n${sections.join('\n')}`;
}

const opening = `# Metrics

Made by \`node scripts/docs.ts\` from the source; do not edit.

A proxy shows its metrics at \`/stats\` (\`cluster.NAME.upstream_rq_total: 5\`) and, for Prometheus, at \`/stats/prometheus\`
(\`envoy_cluster_upstream_rq_total{envoy_cluster_name="NAME"} 5\`): Envoy's names, so that dashboards made for Envoy work. Parts in
capitals vary, \`*\` is a part of the name that varies. Times are in milliseconds; all histograms have the same buckets.

With several workers a metric is that of the whole process; \`listener.ADDRESS.worker_N.downstream_cx_total\` and \`…_active\` then
also show how connections are spread.
`;

function scopeOf(path: string): string {
  const fitting = scopes.filter(([prefix]) => path.startsWith(prefix));
  const longest = fitting.sort((a, b) => b[0].length - a[0].length)[0];
  return longest?.[1] ?? 'others';
}

function section(scope: string, metrics: ReadonlyMap<string, FoundMetric>): string {
  const rows = [...metrics.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, kind }) => `| \`${name}\` | ${kind} | ${metricHelp[name] ?? ''} |`);
  return `## ${scope}\n\n| name | kind | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
}
