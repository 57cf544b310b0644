// The route that sends plain requests of a virtual host to https (`require_tls`).

import { assert } from '@weft/lib/assert';
import { compilePathMatcher } from '../path-matcher.ts';
import { Route } from '../route.ts';
import { RouteMatcher } from '../route-matcher.ts';
import type { VirtualHost } from '../virtual-host.ts';
import { Redirect } from './redirect.ts';

export function makeTlsRedirect(virtualHost: VirtualHost): Route {
  const path = compilePathMatcher({ prefix: '/' }, { issues: [], path: '' });
  assert(path !== null, 'the prefix "/" compiles');
  return new Route({
    name: 'require_tls',
    origin: null,
    virtualHost,
    matcher: new RouteMatcher(path, null),
    cluster: null,
    clusterHeader: null,
    clusterNotFoundStatus: 503,
    timeoutMs: 0,
    idleTimeoutMs: -1,
    maxStreamDurationMs: -1,
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
    redirect: new Redirect({ httpsRedirect: true }, 301, null),
    directResponse: null,
    rewrite: null,
    requestMutations: null,
    responseMutations: null,
    overrides: null,
  });
}
