// A route that does nothing but exist, which every kind of route starts from.

import type { RouteFields } from './route.ts';
import type { RouteMatcher } from './route-matcher.ts';
import type { VirtualHost } from './virtual-host.ts';

/** Fields without any action, limit or change. */
export function bareRouteFields(virtualHost: VirtualHost, matcher: RouteMatcher): RouteFields {
  return {
    name: '',
    origin: null,
    metadata: null,
    virtualHost,
    matcher,
    cluster: null,
    clusterHeader: null,
    clusterNotFoundStatus: 503,
    timeoutMs: 0,
    idleTimeoutMs: -1,
    maxStreamDurationMs: -1,
    grpcTimeout: null,
    grpcTimeoutMaxMs: -1,
    grpcTimeoutOffsetMs: 0,
    retry: null,
    hashPolicy: null,
    isHighPriority: false,
    upgrades: null,
    terminatesConnect: false,
    isAutoHostRewrite: false,
    bufferLimitBytes: -1,
    isForwarding: false,
    redirect: null,
    directResponse: null,
    rewrite: null,
    requestMutations: null,
    responseMutations: null,
    overrides: null,
  };
}
