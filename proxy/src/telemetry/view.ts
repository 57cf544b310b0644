// What access logs and format operators read: an HTTP exchange, or a TCP connection that looks like one with its HTTP parts empty.

import { emptyHeaderBlock, Headers } from '@weft/lib/header';
import type { Cluster } from '../cluster/cluster.ts';
import type { Host } from '../cluster/host.ts';
import type { Fault } from '../fault/fault.ts';
import type { ConnectionInfo } from '../io/connection-info.ts';
import type { StreamProtocol, StreamView } from '../stream/stream.ts';

/** An exchange or a connection, as seen when it is over. Every `StreamView` is one. */
export type LoggedView = Readonly<Omit<StreamView, 'protocol'>> & {
  /** Empty for a connection whose bytes are not ours to understand. */
  readonly protocol: StreamProtocol | '';
};

const noHeaders = new Headers(emptyHeaderBlock);
const noState: unknown[] = [];

/** One TCP connection; the TCP proxy makes it at the start, fills it in as it goes and logs it at the end. */
export class ConnectionView implements LoggedView {
  readonly connection: ConnectionInfo;
  readonly protocol = '' as const;
  readonly method = '';
  readonly path = '';
  readonly authority = '';
  readonly scheme = '';
  readonly originalPath = '';
  readonly requestHeaders = noHeaders;
  readonly requestTrailers = null;
  readonly status = 0;
  readonly responseHeaders = null;
  readonly responseTrailers = null;
  readonly route = null;
  cluster: Cluster | null = null;
  host: Host | null = null;
  /** Connections tried. */
  attempts = 0;
  fault: Fault | null = null;
  /** Why it ended, for `%CONNECTION_TERMINATION_DETAILS%` and `%RESPONSE_CODE_DETAILS%`. */
  details = '';
  extraFlags = '';
  decisionId = '';
  readonly requestId = '';
  readonly clientAddress = '';
  readonly filterState = noState;
  readonly startWallMs: number;
  readonly startMs: number;
  readonly requestEndMs = -1;
  /** Milliseconds since `startMs` when the upstream connection stood, or -1. */
  upstreamStartMs = -1;
  readonly responseStartMs = -1;
  readonly responseEndMs = -1;
  endMs = -1;
  bytesReceived = 0;
  bytesSent = 0;
  upstreamLocalAddress = '';

  constructor(connection: ConnectionInfo, startWallMs: number, startMs: number) {
    this.connection = connection;
    this.startWallMs = startWallMs;
    this.startMs = startMs;
  }
}
