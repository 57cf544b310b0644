// The routes of a virtual host: those of its VirtualServices in order, or one straight to the service.

import type { envoy } from '@weft/api/xds/types';
import type { MeshPort, MeshService } from '../../model/service.ts';
import { originOf } from '../../model/sourced.ts';
import type { VirtualServiceItem } from '../../model/virtual-service.ts';
import { outboundCluster } from '../cluster-name.ts';
import { noTimeout, routeTimeouts } from '../message.ts';
import { originMetadata } from '../origin-metadata.ts';
import type { Reach } from '../reach.ts';
import { corsConfig } from './cors-policy.ts';
import { faultConfig } from './fault-injection.ts';
import { hashPolicies } from './hash-policy.ts';
import { type ActionContext, routeAction } from './http-action.ts';
import { isApplicable, isCatchAll, matchAll, routeMatch } from './http-match.ts';
import { retryPolicy } from './retry-policy.ts';

type Route = envoy.config.route.v3.Route;
type RouteMatch = envoy.config.route.v3.RouteMatch;

/** Routes of one VirtualService. What comes after a rule that takes everything is left out: it is never reached. */
export function virtualServiceRoutes(item: VirtualServiceItem, context: ActionContext): Route[] {
  const routes: Route[] = [];
  for (const index of (item.spec.http ?? []).keys()) {
    for (const route of ruleRoutes(item, index, context)) {
      routes.push(route);
      if (isCatchAll(route.match ?? {})) return routes;
    }
  }
  return routes;
}

/** One route per match of a rule. */
function ruleRoutes(item: VirtualServiceItem, index: number, context: ActionContext): Route[] {
  const rule = item.spec.http?.[index];
  if (rule === undefined) return [];
  const path = `spec.http[${index}]`;
  const make = (match: RouteMatch, name: string | undefined, where: string): Route => {
    const typedPerFilterConfig = { ...faultConfig(rule.fault), ...corsConfig(rule.corsPolicy) };
    return {
      ...(name === undefined ? {} : { name }),
      match,
      ...routeAction(rule, match, context),
      metadata: originMetadata(originOf(item, where)),
      ...(Object.keys(typedPerFilterConfig).length === 0 ? {} : { typedPerFilterConfig }),
    };
  };
  const matches = rule.match ?? [];
  if (matches.length === 0) return [make(matchAll, rule.name, path)];
  return [...matches.entries()]
    .filter(([, match]) => isApplicable(match, context, item.namespace))
    .map(([position, match]) =>
      make(routeMatch(match), joinNames(rule.name, match.name), `${path}.match[${position}]`),
    );
}

function joinNames(rule: string | undefined, match: string | undefined): string | undefined {
  if (rule === undefined) return match;
  return match === undefined ? rule : `${rule}.${match}`;
}

/** The route of a service that no VirtualService speaks for. */
export function defaultRoute(service: MeshService, port: MeshPort, reach: Reach): Route {
  const cluster = outboundCluster(port.number, '', service.host);
  const hashPolicy = hashPolicies([{ cluster, service, port, subset: '' }], reach);
  const policy = retryPolicy(undefined);
  return {
    name: 'default',
    match: matchAll,
    route: {
      cluster,
      ...routeTimeouts(noTimeout),
      ...(policy === undefined ? {} : { retryPolicy: policy }),
      ...(hashPolicy.length > 0 ? { hashPolicy } : {}),
    },
    metadata: originMetadata(service.origin),
  };
}
