// `HttpConnectionManager` message -> running connection manager. Fields that are not carried out were refused before this.

import type { envoy } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import { compileHeaderMatcher } from '../../route/header-matcher.ts';
import { compileForwardedClientCert } from '../../security/forwarded-client-cert.ts';
import type { RouteSource } from '../../stream/stream-config.ts';
import { compileAccessLog } from '../../telemetry/access-log.ts';
import type { CompilePlace, NetworkContext } from '../network-context.ts';
import { codecStats } from './codec-stats.ts';
import { ManagerCounters } from './counters.ts';
import { HttpConnectionManager } from './http-connection-manager.ts';
import { compileHttpFilters, readRouter } from './http-filter-list.ts';
import { readManagerSettings } from './manager-settings.ts';

type Config = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;

/** Compiles it; null after reporting errors. */
export function compileHttpConnectionManager(
  config: Config,
  bufferLimitBytes: number | undefined,
  context: NetworkContext,
  place: CompilePlace,
): HttpConnectionManager | null {
  const before = errorCount(place.issues);
  const scope = context.metrics.scope({
    prefix: 'http',
    tag: 'envoy_http_conn_manager_prefix',
    value: config.statPrefix ?? '',
  });
  const { clock, random } = context;
  const router = readRouter(config, place);
  const filterContext = { clock, random, scope, issues: place.issues };
  const filters = compileHttpFilters(config.httpFilters ?? [], filterContext, place);
  const routes = compileRoutes(config, context, place);
  const accessLog = compileAccessLog(config.accessLog, place.issues, `${place.path}.access_log`, {
    sinks: context.sinks,
    random,
    compileHeaderMatcher,
  });
  const forwardedClientCert = compileForwardedClientCert(config);
  if (config.codecType === 'HTTP3') {
    const message = 'codec_type HTTP3 is not carried out; use AUTO, HTTP1 or HTTP2';
    report(place.issues, 'WEFT0380', `${place.path}.codec_type`, message);
  }
  if (routes === null || errorCount(place.issues) > before) {
    accessLog?.close();
    return null;
  }
  return new HttpConnectionManager({
    ...readManagerSettings(config, bufferLimitBytes, context.runtime),
    filters,
    routes,
    clusters: context.clusters,
    clock,
    random,
    forwardedClientCert,
    suppressEnvoyHeaders: router.suppressEnvoyHeaders,
    accessLog,
    decisions: context.decisions,
    health: context.health,
    internal: context.internal,
    counters: new ManagerCounters(scope, codecStats(context.metrics)),
  });
}

function errorCount(issues: readonly Issue[]): number {
  return issues.reduce((count, issue) => count + (issue.level === 'error' ? 1 : 0), 0);
}

function report(issues: Issue[], code: string, path: string, message: string): void {
  issues.push({ code, level: 'error', path, message });
}

function compileRoutes(
  config: Config,
  context: NetworkContext,
  place: CompilePlace,
): (RouteSource & { readonly isReady: boolean }) | null {
  if (config.routeConfig !== undefined) {
    return context.routes.inline(config.routeConfig, place.issues, `${place.path}.route_config`);
  }
  const name = config.rds?.routeConfigName;
  if (name === undefined || name === '') {
    const message = 'a connection manager needs route_config or rds with a route_config_name';
    report(place.issues, 'WEFT0384', place.path, message);
    return null;
  }
  return context.routes.reference(name);
}
