// One exchange, whatever its protocol: head, body chunks, trailers, reset, in both directions.

import type { Headers } from '@weft/lib/header';
import type { Cluster } from '../cluster/cluster.ts';
import type { Host } from '../cluster/host.ts';
import type { Fault } from '../fault/fault.ts';
import type { ConnectionInfo } from '../io/connection-info.ts';
import type { Route } from '../route/route.ts';

export type StreamProtocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';

/** What routes, filters and the access log see of an exchange. The rest of this class is the exchange itself. */
export interface StreamView {
  readonly connection: ConnectionInfo;
  readonly protocol: StreamProtocol;
  method: string;
  /** Path with query, as it will be sent on; `originalPath` keeps what came. */
  path: string;
  authority: string;
  scheme: string;
  readonly originalPath: string;
  requestHeaders: Headers;
  requestTrailers: Headers | null;
  /** 0 until there is a response. */
  status: number;
  responseHeaders: Headers | null;
  responseTrailers: Headers | null;
  route: Route | null;
  cluster: Cluster | null;
  /** The host of the last attempt. */
  host: Host | null;
  attempts: number;
  /** The failure that ended it, if one did. */
  fault: Fault | null;
  /** More exact than the fault's code: `rbac_access_denied_matched_policy[ns/name]`, `via_upstream` ...; for `%RESPONSE_CODE_DETAILS%`. */
  details: string;
  /** Further Envoy response flags (`DI`, `FI`), comma-separated. */
  extraFlags: string;
  /** `proxy-wide` unique id of a reply the mesh made, or empty. */
  decisionId: string;
  readonly requestId: string;
  /** The client's own address, by `x-forwarded-for` where that is trusted; empty when only the connection's is known. */
  readonly clientAddress: string;
  /** Per filter, by its slot. */
  readonly filterState: unknown[];
  /** Wall and monotonic milliseconds of the first byte. */
  readonly startWallMs: number;
  readonly startMs: number;
  /** Milliseconds since `startMs`, or -1: request complete, first byte sent upstream, first and last byte received from upstream, last byte sent downstream. */
  requestEndMs: number;
  upstreamStartMs: number;
  responseStartMs: number;
  responseEndMs: number;
  endMs: number;
  /** Body bytes. */
  bytesReceived: number;
  bytesSent: number;
  /** Upstream connection's own address, or empty. */
  upstreamLocalAddress: string;
}

/** What a filter may do. */
export interface Stream extends StreamView {
  /** Goes on after a filter returned STOP from a request hook. */
  continueRequest(slot: number): void;
  continueResponse(slot: number): void;
  /** For a filter that consumed chunks: passes bytes of its own to the filters behind it, or towards the client. */
  passRequestData(slot: number, buffer: Buffer, offset: number, length: number, endStream: boolean): void;
  passResponseData(slot: number, buffer: Buffer, offset: number, length: number, endStream: boolean): void;
  /** Ends the exchange with the fault's local reply; `details` as above, `status` overrides the fault's, `body` its message. */
  fail(fault: Fault, details?: string, status?: number, body?: string): void;
  /** Answers in place of the upstream (redirect, direct response, fault abort). Headers are lower-case pairs. */
  reply(status: number, headers: Headers, body: string, details: string): void;
  /** The per-route (route, virtual host, weighted cluster) compiled override of that filter, or null. */
  routeConfig(filterName: string): unknown;
  /** Resolves the route now if no filter has yet; null when there is none. */
  resolveRoute(): Route | null;
}
