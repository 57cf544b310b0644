// What compiling a filter chain needs from the rest of the process; one object, made by the composition root.

import type { Clock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import type { Log } from '@weft/lib/log';
import type { ScopeSource } from '@weft/lib/metrics';
import type { RuntimeValues } from '../bootstrap/runtime.ts';
import type { Connection } from '../io/connection.ts';
import type { ConnectionInfo } from '../io/connection-info.ts';
import type { DescriptorWatch } from '../io/descriptor-watch.ts';
import type { ListenerLimit } from '../listener/connection-limits.ts';
import type { RouteTableSet } from '../route/route-table-set.ts';
import type { SecretSet } from '../security/secret-set.ts';
import type { ClusterSource } from '../stream/stream-config.ts';
import type { AccessLogSinks } from '../telemetry/access-log-sinks.ts';
import type { DecisionLog } from '../telemetry/decisions.ts';

/** Listeners without a socket, reached through CONNECT tunnels. */
export interface InternalListeners {
  has(name: string): boolean;
  /** Takes the connection over; `rest` was read behind the CONNECT. */
  take(name: string, connection: Connection, info: ConnectionInfo, rest: Buffer): void;
}

/** What `/healthcheck/fail` says of the whole process. */
export interface HealthState {
  isFailed: boolean;
}

export interface NetworkContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ScopeSource;
  readonly clusters: ClusterSource;
  readonly routes: RouteTableSet;
  readonly secrets: SecretSet;
  readonly sinks: AccessLogSinks;
  readonly decisions: DecisionLog;
  readonly health: HealthState;
  readonly internal: InternalListeners;
  readonly runtime: RuntimeValues;
  /** Told of accepted connections: the last file descriptor may be among them. */
  readonly descriptors?: DescriptorWatch | undefined;
  /** What limits the connections of a listener, if anything does. */
  limitOf(listener: string, ignoresAll: boolean): ListenerLimit | null;
}

/** Where a compile step puts its findings. */
export interface CompilePlace {
  readonly issues: Issue[];
  readonly path: string;
}
