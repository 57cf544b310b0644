// What every exchange of one connection manager shares: compiled once when the listener is.

import type { Clock } from '@weft/lib/clock';
import type { Cluster } from '../cluster/cluster.ts';
import type { HttpFilter } from '../http-filter/filter.ts';
import type { Connection } from '../io/connection.ts';
import type { RouteTable } from '../route/route-table.ts';
import type { DecisionLog } from '../telemetry/decisions.ts';
import type { Exchange } from './exchange.ts';
import type { StreamView } from './stream.ts';

/** Where exchanges find their clusters. */
export interface ClusterSource {
  get(name: string): Cluster | null;
}

/** The routes in force at this moment. */
export interface RouteSource {
  current(): RouteTable | null;
}

export interface StreamConfig {
  readonly filters: readonly HttpFilter[];
  // Only the filters that have the hook, in running order; null when none has.
  readonly requestDataHooks: readonly HttpFilter[] | null;
  readonly requestTrailerHooks: readonly HttpFilter[] | null;
  readonly responseHeadHooks: readonly HttpFilter[] | null;
  readonly responseDataHooks: readonly HttpFilter[] | null;
  readonly responseTrailerHooks: readonly HttpFilter[] | null;
  readonly completeHooks: readonly HttpFilter[] | null;
  readonly routes: RouteSource;
  readonly clusters: ClusterSource;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Bytes of a body that a filter or a retry may hold back. */
  readonly bufferLimitBytes: number;
  readonly streamIdleTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly accessLog: { log(stream: StreamView): void } | null;
  readonly decisions: DecisionLog;
  readonly stats: { onComplete(exchange: Exchange): void };
  /** Adds `server`, `date` and the like just before the head goes out. */
  readonly finishResponseHead: (exchange: Exchange) => void;
  /** Whether the client may see decision ids: mesh peers and local clients only. */
  readonly showsDecision: (exchange: Exchange) => boolean;
  readonly suppressEnvoyHeaders: boolean;
  /** Upgrade tokens in lower case, and whether they are allowed where the route does not say. */
  readonly upgrades: ReadonlyMap<string, boolean>;
  /** Whether an internal listener of that name takes tunnels. */
  hasTunnel(listener: string): boolean;
  takeTunnel(listener: string, connection: Connection, exchange: Exchange, rest: Buffer): void;
}
