// What compiling a route configuration needs from around it and hands down from level to level.

import type { envoy } from '@weft/api/xds/types';
import type { IssueSink } from '../security/data-source.ts';
import type { MutationLevel } from './action/header-mutation.ts';
import type { CompileOverride, Overrides } from './filter-override.ts';
import type { VirtualHost } from './virtual-host.ts';

/** From the process. */
export interface RouteCompileContext {
  readonly compileOverride: CompileOverride;
  /** Whether a cluster of that name exists now; asked only where clusters are to be checked. */
  readonly hasCluster: (name: string) => boolean;
  /** What holds where `validate_clusters` says nothing. As in Envoy, a table inside its listener is checked, one by RDS is not. */
  readonly validatesClusters: boolean;
}

/** Where a cluster was named first, and whether requests can go there. */
export interface ClusterUse {
  readonly sink: IssueSink;
  readonly isUsed: boolean;
}

/** From the table. */
export interface TableContext extends RouteCompileContext {
  readonly mostSpecificWins: boolean;
  readonly maxBodyBytes: number;
  /** Collects the names of clusters. */
  readonly clusters: Map<string, ClusterUse>;
}

/** Notes that a route names a cluster. */
export function nameCluster(clusters: Map<string, ClusterUse>, name: string, isUsed: boolean, sink: IssueSink): void {
  const known = clusters.get(name);
  if (known === undefined || (isUsed && !known.isUsed)) clusters.set(name, { sink: known?.sink ?? sink, isUsed });
}

/** From the virtual host: its own level and those above it, most specific first. */
export interface HostContext extends TableContext {
  readonly virtualHost: VirtualHost;
  readonly levels: readonly MutationLevel[];
  readonly overrides: Overrides | null;
  readonly retryPolicy: envoy.config.route.v3.RetryPolicy | undefined;
  readonly bufferLimitBytes: number;
}
