// The route that sends plain requests of a virtual host to https (`require_tls`).

import { assert } from '@weft/lib/assert';
import { compilePathMatcher } from '../path-matcher.ts';
import { Route } from '../route.ts';
import { bareRouteFields } from '../route-fields.ts';
import { RouteMatcher } from '../route-matcher.ts';
import type { VirtualHost } from '../virtual-host.ts';
import { Redirect } from './redirect.ts';

export function makeTlsRedirect(virtualHost: VirtualHost): Route {
  const path = compilePathMatcher({ prefix: '/' }, { issues: [], path: '' });
  assert(path !== null, 'the prefix "/" compiles');
  return new Route({
    ...bareRouteFields(virtualHost, new RouteMatcher(path, null)),
    name: 'require_tls',
    redirect: new Redirect({ httpsRedirect: true }, 301, null),
  });
}
