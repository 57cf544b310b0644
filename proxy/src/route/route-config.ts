// From one `envoy.config.route.v3.Route` to a compiled entry of its virtual host.

import type { envoy, google } from '@weft/api/xds/types';
import { durationMs } from '@weft/lib/protobuf/duration';
import { originOf, tagIssues } from '../cluster/origin.ts';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import { compileDirectResponse } from './action/direct-response.ts';
import { compileHashPolicy } from './action/hash-policy.ts';
import { compileMutations, type MutationLevel, orderLevels } from './action/header-mutation.ts';
import { compileRedirect } from './action/redirect.ts';
import { compileRouteRewrite } from './action/rewrite.ts';
import { compileUpgrades } from './action/upgrade.ts';
import { compileWeighted, type TargetFields } from './action/weighted-clusters.ts';
import { type HostContext, nameCluster } from './compile-context.ts';
import { compileOverrides, type Overrides } from './filter-override.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import { Route, type RouteFields } from './route.ts';
import { bareRouteFields } from './route-fields.ts';
import { compileRouteMatcher, type RouteMatcher } from './route-matcher.ts';
import type { RouteEntry } from './virtual-host.ts';

type RouteMessage = envoy.config.route.v3.Route;
type RouteAction = envoy.config.route.v3.RouteAction;
type Duration = google.protobuf.Duration;

/** Envoy's default for `RouteAction.timeout`. */
const defaultTimeoutMs = 15_000;

/** The entry, or null after reporting. */
export function compileRoute(message: RouteMessage, context: HostContext, sink: IssueSink): RouteEntry | null {
  const before = sink.issues.length;
  const matcher =
    message.match === undefined
      ? reportError(sinkAt(sink, 'match'), 'WEFT0313', 'the route has no match; give one, such as prefix "/"')
      : compileRouteMatcher(message.match, sinkAt(sink, 'match'));
  const levels = [compileMutations(message, sink), ...context.levels];
  const overrides = compileOverrides(message.typedPerFilterConfig, context.overrides, context.compileOverride, sink);
  const entry = matcher === null ? null : compileAction(message, { matcher, levels, overrides, context }, sink);
  tagIssues(sink.issues, before, originOf(message.metadata));
  return hasErrorsSince(sink, before) ? null : entry;
}

function hasErrorsSince(sink: IssueSink, before: number): boolean {
  return sink.issues.slice(before).some((issue) => issue.level === 'error');
}

/** What all forms of one route share. */
interface Parts {
  readonly matcher: RouteMatcher;
  readonly levels: readonly MutationLevel[];
  readonly overrides: Overrides | null;
  readonly context: HostContext;
}

function compileAction(message: RouteMessage, parts: Parts, sink: IssueSink): RouteEntry | null {
  if (message.route !== undefined) return compileForwarding(message, message.route, parts, sinkAt(sink, 'route'));
  const plain = plainFields(message, parts);
  if (message.redirect !== undefined) {
    const redirect = compileRedirect(message.redirect, sinkAt(sink, 'redirect'));
    return redirect === null ? null : single(new Route({ ...plain, redirect }));
  }
  if (message.directResponse !== undefined) {
    const directResponse = compileDirectResponse(
      message.directResponse,
      parts.context.maxBodyBytes,
      sinkAt(sink, 'direct_response'),
    );
    return directResponse === null ? null : single(new Route({ ...plain, directResponse }));
  }
  if (message.nonForwardingAction !== undefined) return single(new Route(plain));
  return reportError(
    sink,
    'WEFT0335',
    'the route does nothing; give route, redirect, direct_response or non_forwarding_action',
  );
}

function single(route: Route): RouteEntry {
  return { matcher: route.matcher, only: route, weighted: null };
}

function plainFields(message: RouteMessage, parts: Parts): RouteFields {
  const { context, levels } = parts;
  return {
    ...bareRouteFields(context.virtualHost, parts.matcher),
    name: message.name ?? '',
    origin: originOf(message.metadata),
    metadata: message.metadata ?? null,
    bufferLimitBytes: message.perRequestBufferLimitBytes ?? context.bufferLimitBytes,
    requestMutations: orderLevels(levels, context.mostSpecificWins, 'request'),
    responseMutations: orderLevels(levels, context.mostSpecificWins, 'response'),
    overrides: parts.overrides,
  };
}

const notFoundStatuses: Readonly<Record<string, number>> = {
  SERVICE_UNAVAILABLE: 503,
  NOT_FOUND: 404,
  INTERNAL_SERVER_ERROR: 500,
};

function compileForwarding(
  message: RouteMessage,
  action: RouteAction,
  parts: Parts,
  sink: IssueSink,
): RouteEntry | null {
  const { context } = parts;
  const shared: RouteFields = {
    ...plainFields(message, parts),
    isForwarding: true,
    clusterNotFoundStatus: notFoundStatuses[String(action.clusterNotFoundResponseCode)] ?? 503,
    ...compileTimeouts(action),
    retry: compileRetry(action, context, sink),
    hashPolicy: compileHashPolicy(action.hashPolicy ?? [], sink),
    isHighPriority: action.priority === 'HIGH',
    ...compileUpgrades(action.upgradeConfigs ?? [], sink),
    isAutoHostRewrite: action.autoHostRewrite === true,
    rewrite: compileRouteRewrite(action, undefined, sink),
  };
  if (action.weightedClusters !== undefined) {
    const make = (target: TargetFields): Route => makeTarget(shared, action, parts, target, sink);
    return compileWeighted(action.weightedClusters, parts.matcher, make, { context, overrides: parts.overrides, sink });
  }
  if (action.clusterHeader !== undefined && action.clusterHeader !== '') {
    return single(new Route({ ...shared, clusterHeader: action.clusterHeader.toLowerCase() }));
  }
  const { cluster = '' } = action;
  if (cluster === '')
    return reportError(
      sink,
      'WEFT0336',
      'the route names no cluster; give cluster, weighted_clusters or cluster_header',
    );
  nameCluster(context.clusters, cluster, true, sinkAt(sink, 'cluster'));
  return single(new Route({ ...shared, cluster }));
}

function makeTarget(
  shared: RouteFields,
  action: RouteAction,
  parts: Parts,
  target: TargetFields,
  sink: IssueSink,
): Route {
  const levels = [target.mutations, ...parts.levels];
  const { mostSpecificWins } = parts.context;
  const { hostRewriteLiteral } = target;
  return new Route({
    ...shared,
    cluster: target.cluster,
    clusterHeader: target.clusterHeader,
    rewrite:
      hostRewriteLiteral === undefined || hostRewriteLiteral === ''
        ? shared.rewrite
        : compileRouteRewrite(action, hostRewriteLiteral, sink),
    requestMutations: orderLevels(levels, mostSpecificWins, 'request'),
    responseMutations: orderLevels(levels, mostSpecificWins, 'response'),
    overrides: target.overrides,
  });
}

type Timeouts = Pick<
  RouteFields,
  'timeoutMs' | 'grpcTimeout' | 'idleTimeoutMs' | 'maxStreamDurationMs' | 'grpcTimeoutMaxMs' | 'grpcTimeoutOffsetMs'
>;

function compileTimeouts(action: RouteAction): Timeouts {
  const stream = action.maxStreamDuration;
  return {
    // As Envoy: a route that limits its streams has no limit of its own for the response, not even one that it names.
    timeoutMs: stream === undefined ? msOr(action.timeout, defaultTimeoutMs) : 0,
    grpcTimeout: compileGrpcTimeout(action),
    idleTimeoutMs: msOr(action.idleTimeout, -1),
    maxStreamDurationMs: msOr(stream?.maxStreamDuration, -1),
    grpcTimeoutMaxMs: msOr(stream?.grpcTimeoutHeaderMax, -1),
    grpcTimeoutOffsetMs: durationMs(stream?.grpcTimeoutHeaderOffset),
  };
}

// As Envoy: `max_stream_duration` has fields of its own for gRPC, and then the older ones do not count.
function compileGrpcTimeout(action: RouteAction): Timeouts['grpcTimeout'] {
  if (action.maxGrpcTimeout === undefined || action.maxStreamDuration !== undefined) return null;
  return { maxMs: durationMs(action.maxGrpcTimeout), offsetMs: durationMs(action.grpcTimeoutOffset) };
}

function msOr(duration: Duration | undefined, unsetMs: number): number {
  return duration === undefined ? unsetMs : durationMs(duration);
}

// As Envoy: a route's own policy replaces the virtual host's whole.
function compileRetry(action: RouteAction, context: HostContext, sink: IssueSink): RouteFields['retry'] {
  if (action.retryPolicy !== undefined) return compileRetryPolicy(action.retryPolicy, sinkAt(sink, 'retry_policy'));
  // Its findings were reported once, with the virtual host.
  return context.retryPolicy === undefined ? null : compileRetryPolicy(context.retryPolicy, { issues: [], path: '' });
}
