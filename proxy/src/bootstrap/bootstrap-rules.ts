// What must hold between the parts of a bootstrap, beyond each field by itself.
import type { envoy } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import { readConnectionMaxima } from './connection-maxima.ts';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;
type ConfigSource = envoy.config.core.v3.ConfigSource;

/** Names that are used and not given, given twice, or missing. */
export function checkBootstrapRules(bootstrap: Bootstrap): Issue[] {
  const issues: Issue[] = [];
  const resources = bootstrap.staticResources;
  checkNames(issues, 'static_resources.clusters', resources?.clusters ?? []);
  checkNames(issues, 'static_resources.secrets', resources?.secrets ?? []);
  checkUnique(issues, 'static_resources.listeners', resources?.listeners ?? []);
  checkDynamic(issues, bootstrap);
  checkMonitors(issues, bootstrap);
  return issues;
}

function report(issues: Issue[], path: string, message: string): void {
  issues.push({ code: 'WEFT0132', level: 'error', path, message });
}

function checkNames(issues: Issue[], path: string, list: readonly { readonly name?: string | undefined }[]): void {
  list.forEach((entry, index) => {
    if (entry.name === undefined) report(issues, `${path}[${index}]`, 'has no name; give it one');
  });
  checkUnique(issues, path, list);
}

function checkUnique(issues: Issue[], path: string, list: readonly { readonly name?: string | undefined }[]): void {
  const seen = new Map<string, number>();
  list.forEach((entry, index) => {
    if (entry.name === undefined) return;
    const earlier = seen.get(entry.name);
    if (earlier === undefined) seen.set(entry.name, index);
    else report(issues, `${path}[${index}].name`, `"${entry.name}" is the name of ${path}[${earlier}] too; rename one`);
  });
}

// Envoy's own rules: the limit is above 0, and there is one.
function checkMonitors(issues: Issue[], bootstrap: Bootstrap): void {
  const monitors = bootstrap.overloadManager?.resourceMonitors ?? [];
  checkNames(issues, 'overload_manager.resource_monitors', monitors);
  if (monitors.length === 0 || readConnectionMaxima(bootstrap).all !== 0) return;
  const path = 'overload_manager.resource_monitors[0].typed_config.max_active_downstream_connections';
  report(issues, path, 'must be above 0: with 0 there could be no connection');
}

function checkDynamic(issues: Issue[], bootstrap: Bootstrap): void {
  const dynamic = bootstrap.dynamicResources;
  if (dynamic === undefined) return;
  const path = 'dynamic_resources';
  const sources: [string, ConfigSource | undefined][] = [
    ['lds_config', dynamic.ldsConfig],
    ['cds_config', dynamic.cdsConfig],
  ];
  for (const [name, source] of sources) {
    if (source === undefined) continue;
    if (source.ads === undefined) report(issues, `${path}.${name}`, 'names no source that Weft can use; set ads: {}');
    else if (dynamic.adsConfig === undefined)
      report(issues, `${path}.${name}.ads`, 'needs ads_config; add it to dynamic_resources');
  }
  if (dynamic.adsConfig === undefined) return;
  if (bootstrap.node?.id === undefined)
    report(issues, 'node.id', 'is missing; a control plane knows a proxy by its node id');
  const grpc = dynamic.adsConfig.grpcServices?.[0]?.envoyGrpc?.clusterName;
  if (grpc === undefined) {
    report(
      issues,
      `${path}.ads_config`,
      'names no cluster; add grpc_services: [{ envoy_grpc: { cluster_name: \u2026 } }]',
    );
    return;
  }
  const known = bootstrap.staticResources?.clusters?.some((cluster) => cluster.name === grpc) ?? false;
  if (!known) {
    report(
      issues,
      `${path}.ads_config.grpc_services[0].envoy_grpc.cluster_name`,
      `"${grpc}" is no static cluster; add it to static_resources.clusters`,
    );
  }
}
