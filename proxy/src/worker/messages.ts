// What the main thread and its workers say to each other.

import type { FileContents } from '@weft/lib/disk/config-file';
import type { LogLevel } from '@weft/lib/log';
import type { DnsAnswer, DnsFamily } from '../cluster/dns/resolver.ts';
import type { ListenRequest } from '../listener/listen-sockets.ts';
import type { DrainScope } from '../listener/listener-set.ts';
import type { ResourceKind } from '../xds/target.ts';
import type { IdentityParts } from './identity-parts.ts';
import type { WorkerReport } from './worker-report.ts';

/** One change of configuration, checked and made by the main thread. */
export interface Change {
  readonly kind: ResourceKind;
  /** Names with the encoded resources. */
  readonly set: readonly (readonly [string, Uint8Array])[];
  readonly removed: readonly string[];
  readonly version: string;
  /** What a change that follows will remove. */
  readonly leaving?: readonly string[];
}

/** Where the breakers of a cluster count: memory that all threads share. */
export interface ClusterCells {
  readonly cluster: string;
  readonly cells: Int32Array;
}

export interface LogLevels {
  readonly level: LogLevel;
  readonly components: readonly (readonly [string, LogLevel])[];
}

/** What a worker starts from. */
export interface WorkerStart {
  readonly index: number;
  readonly bootstrap: Uint8Array;
  readonly configPath: string;
  /** What they held when the configuration was read. */
  readonly files: FileContents;
  readonly levels: LogLevels;
  readonly isHealthFailed: boolean;
  /** Listeners that ask their clients to leave. */
  readonly drained: DrainScope | null;
  /** Listeners that take no new connections any more. */
  readonly stopped: DrainScope | null;
  readonly cells: readonly ClusterCells[];
  /** A session that one worker began is resumed by any. */
  readonly ticketSecret: Uint8Array;
  readonly identity: readonly IdentityParts[];
  readonly changes: readonly Change[];
  /** Routes that did not come in their time. */
  readonly missingRoutes: readonly string[];
}

/** What is waited for, by kind; empty when the worker is ready. */
export type Unready = readonly { readonly name: string; readonly targets: readonly string[] }[];

interface Call<Argument, Answer = void> {
  readonly argument: Argument;
  readonly answer: Answer;
}

/** What a worker is asked. */
export type WorkerCalls = {
  readonly change: Call<Change>;
  readonly missingRoute: Call<string>;
  readonly identity: Call<IdentityParts>;
  readonly cells: Call<ClusterCells>;
  readonly levels: Call<LogLevels>;
  readonly healthFailed: Call<boolean>;
  /** Answered when everything told before has been done. */
  readonly settle: Call<null, null>;
  readonly report: Call<{ readonly withDecisions: boolean }, WorkerReport>;
  readonly drain: Call<DrainScope>;
  readonly stopAccepting: Call<DrainScope>;
  /** Answered when the last connection is over, or the time is. */
  readonly stop: Call<{ readonly drainTimeMs: number }, WorkerReport>;
  /** The worker that had this Unix socket is gone. */
  readonly takeOver: Call<ListenRequest>;
};

/** Where a worker is to bind, or that another worker has the one socket there can be. */
export type ListenGrant = { readonly port: number } | 'elsewhere';

/** What the main thread is asked. */
export type MainCalls = {
  readonly started: Call<null>;
  readonly unready: Call<Unready>;
  readonly listen: Call<ListenRequest, ListenGrant>;
  readonly bound: Call<{ readonly request: ListenRequest; readonly port: number }>;
  readonly unbound: Call<{ readonly request: ListenRequest; readonly message: string }>;
  readonly closed: Call<ListenRequest>;
  readonly resolve: Call<{ readonly name: string; readonly family: DnsFamily }, DnsAnswer>;
  /** Lines of an access log, or of the log itself where the path is empty. False when they were dropped. */
  readonly lines: Call<{ readonly path: string; readonly text: string }, boolean>;
};
