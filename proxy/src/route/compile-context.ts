// What compiling a route configuration needs from around it and hands down from level to level.

import type { envoy } from '@weft/api/xds/types';
import type { IssueSink } from '../security/data-source.ts';
import type { MutationLevel } from './action/header-mutation.ts';
import type { CompileOverride, Overrides } from './filter-override.ts';
import type { VirtualHost } from './virtual-host.ts';

/** From the process. */
export interface RouteCompileContext {
  readonly compileOverride: CompileOverride;
  /** Whether a cluster of that name exists now; asked only with `validate_clusters`. */
  readonly hasCluster: (name: string) => boolean;
}

/** From the table. */
export interface TableContext extends RouteCompileContext {
  readonly mostSpecificWins: boolean;
  readonly maxBodyBytes: number;
  /** Collects the names of clusters, and where each was named first. */
  readonly clusters: Map<string, IssueSink>;
}

/** From the virtual host: its own level and those above it, most specific first. */
export interface HostContext extends TableContext {
  readonly virtualHost: VirtualHost;
  readonly levels: readonly MutationLevel[];
  readonly overrides: Overrides | null;
  readonly retryPolicy: envoy.config.route.v3.RetryPolicy | undefined;
  readonly bufferLimitBytes: number;
}
