// `weighted_clusters`: one route per cluster, and the running totals to choose by.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import { type HostContext, nameCluster } from '../compile-context.ts';
import { compileOverrides, type Overrides } from '../filter-override.ts';
import type { Route } from '../route.ts';
import type { RouteMatcher } from '../route-matcher.ts';
import type { RouteEntry } from '../virtual-host.ts';
import { compileMutations, type MutationLevel } from './header-mutation.ts';

type WeightedCluster = envoy.config.route.v3.WeightedCluster;
type ClusterWeight = envoy.config.route.v3.WeightedCluster.ClusterWeight;

/** What one cluster of the list says. */
export interface TargetFields {
  readonly cluster: string | null;
  readonly clusterHeader: string | null;
  readonly mutations: MutationLevel;
  readonly overrides: Overrides | null;
  readonly hostRewriteLiteral: string | undefined;
}

interface WeightedContext {
  readonly context: HostContext;
  readonly overrides: Overrides | null;
  readonly sink: IssueSink;
}

const maxTotal = 0xffff_ffff;

/** The entry, or null after reporting. */
export function compileWeighted(
  config: WeightedCluster,
  matcher: RouteMatcher,
  makeRoute: (target: TargetFields) => Route,
  around: WeightedContext,
): RouteEntry | null {
  const sink = sinkAt(around.sink, 'weighted_clusters');
  const clusters = config.clusters ?? [];
  const targets = clusters.map((cluster, i) => compileTarget(cluster, around, sinkAt(sink, `clusters[${i}]`)));
  const weights = clusters.map((cluster) => cluster.weight ?? 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0)
    return reportError(
      sinkAt(sink, 'clusters'),
      'WEFT0338',
      'the weights add up to zero, so no cluster can be chosen; give at least one a weight',
    );
  if (total > maxTotal)
    reportError(sinkAt(sink, 'clusters'), 'WEFT0338', `the weights add up to ${total}; at most ${maxTotal} is allowed`);
  if (config.totalWeight !== undefined && config.totalWeight !== 0 && config.totalWeight !== total) {
    reportError(
      sinkAt(sink, 'total_weight'),
      'WEFT0338',
      `the weights add up to ${total} and not to ${config.totalWeight}; remove total_weight or correct the weights`,
    );
  }
  if (targets.includes(null)) return null;
  const routes = targets.filter((target) => target !== null).map(makeRoute);
  let sum = 0;
  const upTo = weights.map((weight) => (sum += weight));
  const header = config.headerName === undefined || config.headerName === '' ? null : config.headerName.toLowerCase();
  return { matcher, only: null, weighted: { routes, upTo, total, header } };
}

function compileTarget(config: ClusterWeight, around: WeightedContext, sink: IssueSink): TargetFields | null {
  const { context } = around;
  const mutations = compileMutations(config, sink);
  const overrides = compileOverrides(config.typedPerFilterConfig, around.overrides, context.compileOverride, sink);
  const { name = '', clusterHeader = '', hostRewriteLiteral } = config;
  if (name === '' && clusterHeader === '') {
    return reportError(
      sinkAt(sink, 'name'),
      'WEFT0336',
      'the weighted cluster has no name; give name or cluster_header',
    );
  }
  const shared = { mutations, overrides, hostRewriteLiteral };
  if (name === '') return { ...shared, cluster: null, clusterHeader: clusterHeader.toLowerCase() };
  // Nothing waits for a cluster without weight: no request goes there.
  nameCluster(context.clusters, name, (config.weight ?? 0) > 0, sinkAt(sink, 'name'));
  return { ...shared, cluster: name, clusterHeader: null };
}
