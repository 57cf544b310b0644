// The seams of a filter chain: filters that look at a new connection, and the one at the end that takes it.

import type { Fault } from '../fault/fault.ts';
import type { Connection } from '../io/connection.ts';
import type { ConnectionInfo } from '../io/connection-info.ts';

/** Looks at a connection before any byte of it is used; a fault ends the connection. */
export interface NetworkFilter {
  readonly name: string;
  readonly onConnection: (info: ConnectionInfo) => Fault | null;
}

/** Owns connections from then on: the connection manager, the TCP proxy. */
export interface TerminalFilter {
  readonly name: string;
  take(connection: Connection, info: ConnectionInfo): void;
  /**
   * Hands its connections to the filter that replaces it, so that their next request goes by the new configuration; those that
   * `admits` refuses are ended. False when they cannot be handed over and are to drain instead.
   */
  succeedBy(next: TerminalFilter, admits: (info: ConnectionInfo) => boolean): boolean;
  /** Take nothing new after what runs: responses say `Connection: close`. */
  drain(): void;
  /** Ends connections on which nothing runs. */
  closeIdle(): void;
  /** Ends all that is left. */
  closeAll(): void;
  readonly connections: number;
  /** Routes, secrets and the like have arrived. */
  readonly isReady: boolean;
}
