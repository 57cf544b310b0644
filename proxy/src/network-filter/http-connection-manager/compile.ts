// `HttpConnectionManager` message → running connection manager. Fields that are not carried out were refused before this.

import type { envoy, google } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { durationMs } from '@weft/lib/protobuf/duration';
import type { HttpFilter } from '../../http-filter/filter.ts';
import { findHttpFilterKind, type HttpFilterContext } from '../../http-filter/filters.ts';
import { compileHeaderMatcher } from '../../route/header-matcher.ts';
import { compileForwardedClientCert } from '../../security/forwarded-client-cert.ts';
import type { RouteSource } from '../../stream/stream-config.ts';
import { compileAccessLog } from '../../telemetry/access-log.ts';
import { compileHttp2Limits, compileHttp2Settings } from '../../upstream/http2-options.ts';
import type { CompilePlace, NetworkContext } from '../network-context.ts';
import { ManagerCounters } from './counters.ts';
import { HttpConnectionManager } from './http-connection-manager.ts';
import { isNeutral, type PathPolicy } from './path.ts';

type Config = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
type HttpFilterConfig = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
type Duration = google.protobuf.Duration;

const routerType = 'envoy.extensions.filters.http.router.v3.Router';

/** Defaults are Envoy's, but for the header time-out: Envoy waits for ever, which a slow sender can abuse. */
const defaults = {
  idleTimeoutMs: 3_600_000,
  streamIdleTimeoutMs: 300_000,
  headersTimeoutMs: 15_000,
  maxHeaderKib: 60,
  maxHeaderCount: 100,
  bufferLimitBytes: 1024 * 1024,
} as const;

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
  const filters = compileFilters(config.httpFilters ?? [], filterContext, place);
  const routes = compileRoutes(config, context, place);
  const accessLog = compileAccessLog(config.accessLog, place.issues, `${place.path}.access_log`, {
    sinks: context.sinks,
    random,
    compileHeaderMatcher,
  });
  const forwardedClientCert = compileForwardedClientCert(config);
  if (config.codecType === 'HTTP3') {
    const message = 'codec_type HTTP3 is not carried out; use AUTO, HTTP1 or HTTP2';
    report(place.issues, 'WEFT0351', `${place.path}.codec_type`, message);
  }
  if (routes === null || errorCount(place.issues) > before) {
    accessLog?.close();
    return null;
  }
  const common = config.commonHttpProtocolOptions;
  const { pathPolicy, stripsPort } = pathOptions(config);
  return new HttpConnectionManager({
    filters,
    routes,
    clusters: context.clusters,
    clock,
    random,
    codec: codecOf(config),
    http2Settings: compileHttp2Settings(config.http2ProtocolOptions),
    http2Limits: compileHttp2Limits(config.http2ProtocolOptions, {
      maxHeaderListBytes: (config.maxRequestHeadersKb ?? defaults.maxHeaderKib) * 1024,
      maxHeaderCount: common?.maxHeadersCount ?? defaults.maxHeaderCount,
    }),
    limits: {
      maxHeaderBytes: (config.maxRequestHeadersKb ?? defaults.maxHeaderKib) * 1024,
      maxHeaderCount: common?.maxHeadersCount ?? defaults.maxHeaderCount,
      allowHttp10: config.httpProtocolOptions?.acceptHttp10 === true,
    },
    bufferLimitBytes: bufferLimitBytes ?? defaults.bufferLimitBytes,
    idleTimeoutMs: timeMs(common?.idleTimeout, defaults.idleTimeoutMs),
    streamIdleTimeoutMs: timeMs(config.streamIdleTimeout, defaults.streamIdleTimeoutMs),
    requestTimeoutMs: timeMs(config.requestTimeout, 0),
    headersTimeoutMs: timeMs(config.requestHeadersTimeout, defaults.headersTimeoutMs),
    maxStreamDurationMs: timeMs(common?.maxStreamDuration, 0),
    upgrades: compileUpgrades(config),
    pathPolicy,
    stripsPort,
    usesRemoteAddress: config.useRemoteAddress === true,
    skipsForwardedFor: config.skipXffAppend === true,
    trustedHops: config.xffNumTrustedHops ?? 0,
    generatesRequestId: config.generateRequestId ?? true,
    preservesRequestId: config.preserveExternalRequestId === true,
    returnsRequestId: config.alwaysSetRequestIdInResponse === true,
    forwardedClientCert,
    via: config.via ?? '',
    serverName: config.serverName || 'weft',
    serverHeader: serverHeaderOf(config),
    suppressEnvoyHeaders: router.suppressEnvoyHeaders,
    accessLog,
    decisions: context.decisions,
    internal: context.internal,
    counters: new ManagerCounters(scope),
  });
}

function errorCount(issues: readonly Issue[]): number {
  return issues.reduce((count, issue) => count + (issue.level === 'error' ? 1 : 0), 0);
}

function report(issues: Issue[], code: string, path: string, message: string): void {
  issues.push({ code, level: 'error', path, message });
}

function codecOf(config: Config): 'auto' | 'http1' | 'http2' {
  if (config.codecType === 'HTTP1') return 'http1';
  return config.codecType === 'HTTP2' ? 'http2' : 'auto';
}

/** Absent is the default; an explicit zero means none. */
export function timeMs(duration: Duration | undefined, defaultMs: number): number {
  return duration === undefined ? defaultMs : durationMs(duration);
}

function readRouter(config: Config, place: CompilePlace): { suppressEnvoyHeaders: boolean } {
  const last = config.httpFilters?.at(-1);
  const path = `${place.path}.http_filters`;
  if (last?.typedConfig === undefined || typeNameOf(last.typedConfig) !== routerType) {
    report(
      place.issues,
      'WEFT0352',
      path,
      'the last HTTP filter must be the router (envoy.filters.http.router); add it',
    );
    return { suppressEnvoyHeaders: false };
  }
  try {
    return { suppressEnvoyHeaders: unpackAny(last.typedConfig, routerType).suppressEnvoyHeaders === true };
  } catch (error) {
    report(place.issues, 'WEFT0353', path, messageOf(error));
    return { suppressEnvoyHeaders: false };
  }
}

function compileFilters(
  configs: readonly HttpFilterConfig[],
  context: Omit<HttpFilterContext, 'path'>,
  place: CompilePlace,
): HttpFilter[] {
  const filters: HttpFilter[] = [];
  for (const [i, config] of configs.slice(0, -1).entries()) {
    const path = `${place.path}.http_filters[${i}]`;
    const filter = compileFilter(config, { ...context, path });
    if (filter !== null) filters.push(filter);
  }
  return filters;
}

function compileFilter(config: HttpFilterConfig, context: HttpFilterContext): HttpFilter | null {
  if (config.disabled === true) return null;
  const any = config.typedConfig;
  const kind = any === undefined ? null : findHttpFilterKind(typeNameOf(any));
  if (any === undefined || kind === null) {
    if (config.isOptional === true) return null;
    const type = any === undefined ? 'nothing' : typeNameOf(any);
    const message = `the HTTP filter '${config.name ?? ''}' (${type}) is not carried out; remove it or mark it is_optional`;
    report(context.issues, 'WEFT0354', context.path, message);
    return null;
  }
  try {
    return kind.compile(any, config.name ?? '', context);
  } catch (error) {
    report(context.issues, 'WEFT0353', `${context.path}.typed_config`, messageOf(error));
    return null;
  }
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
    report(place.issues, 'WEFT0355', place.path, message);
    return null;
  }
  return context.routes.reference(name);
}

function compileUpgrades(config: Config): ReadonlyMap<string, boolean> {
  const upgrades: Map<string, boolean> = new Map();
  for (const upgrade of config.upgradeConfigs ?? []) {
    upgrades.set((upgrade.upgradeType ?? '').toLowerCase(), upgrade.enabled ?? true);
  }
  return upgrades;
}

const escapedSlashActions: Readonly<Record<string, PathPolicy['escapedSlashes']>> = {
  REJECT_REQUEST: 'reject',
  UNESCAPE_AND_REDIRECT: 'redirect',
  UNESCAPE_AND_FORWARD: 'forward',
};

function pathOptions(config: Config): {
  readonly pathPolicy: PathPolicy | null;
  readonly stripsPort: 'any' | 'matching' | null;
} {
  const policy: PathPolicy = {
    normalizes: config.normalizePath === true,
    mergesSlashes: config.mergeSlashes === true,
    escapedSlashes: escapedSlashActions[String(config.pathWithEscapedSlashesAction)] ?? 'keep',
  };
  const matching = config.stripMatchingHostPort === true ? 'matching' : null;
  return {
    pathPolicy: isNeutral(policy) ? null : policy,
    stripsPort: config.stripAnyHostPort === true ? 'any' : matching,
  };
}

function serverHeaderOf(config: Config): 'overwrite' | 'append-if-absent' | 'pass-through' {
  if (config.serverHeaderTransformation === 'APPEND_IF_ABSENT') return 'append-if-absent';
  return config.serverHeaderTransformation === 'PASS_THROUGH' ? 'pass-through' : 'overwrite';
}
