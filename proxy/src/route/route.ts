// One route, all of it compiled: what a request that matched it is to have done. A route with weighted clusters is one such object per
// cluster, sharing what they have in common, so that a chosen cluster brings its own header changes and filter settings along.

import type { envoy } from '@weft/api/xds/types';
import { isGrpcType } from '@weft/lib/grpc/header';
import type { Headers } from '@weft/lib/header';
import type { Origin } from '@weft/lib/issue';
import type { StreamView } from '../stream/stream.ts';
import type { DirectResponse } from './action/direct-response.ts';
import { type GrpcTimeoutLimit, grantedTimeoutMs, grpcTimeoutMs } from './action/grpc-timeout.ts';
import type { HashedRequest, HashPolicy } from './action/hash-policy.ts';
import type { HeaderMutations } from './action/header-mutation.ts';
import type { Redirect, RedirectReply } from './action/redirect.ts';
import type { Rewrite } from './action/rewrite.ts';
import type { RetryPolicy } from './retry-policy.ts';
import type { RouteMatcher } from './route-matcher.ts';
import type { RewritableRequest, RoutedRequest } from './routed-request.ts';
import type { VirtualHost } from './virtual-host.ts';

/** What a route is made of. */
export interface RouteFields {
  readonly name: string;
  readonly origin: Origin | null;
  readonly metadata: envoy.config.core.v3.Metadata | null;
  readonly virtualHost: VirtualHost;
  readonly matcher: RouteMatcher;
  /** Null where `clusterHeader` says, or where the route answers by itself. */
  readonly cluster: string | null;
  readonly clusterHeader: string | null;
  readonly clusterNotFoundStatus: number;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly grpcTimeout: GrpcTimeoutLimit | null;
  readonly grpcTimeoutMaxMs: number;
  readonly grpcTimeoutOffsetMs: number;
  readonly retry: RetryPolicy | null;
  readonly hashPolicy: HashPolicy | null;
  readonly isHighPriority: boolean;
  readonly upgrades: ReadonlyMap<string, boolean> | null;
  readonly terminatesConnect: boolean;
  readonly isAutoHostRewrite: boolean;
  readonly bufferLimitBytes: number;
  readonly isForwarding: boolean;
  readonly redirect: Redirect | null;
  readonly directResponse: DirectResponse | null;
  readonly rewrite: Rewrite | null;
  readonly requestMutations: HeaderMutations | null;
  readonly responseMutations: HeaderMutations | null;
  readonly overrides: ReadonlyMap<string, unknown> | null;
}

export class Route {
  readonly name: string;
  readonly origin: Origin | null;
  /** What the configuration hung onto it, for access logs. */
  readonly metadata: envoy.config.core.v3.Metadata | null;
  readonly virtualHost: VirtualHost;
  readonly matcher: RouteMatcher;
  readonly clusterNotFoundStatus: number;
  /** For the whole response; 0 is none. A gRPC request may ask for another, see `timeoutOf`. */
  readonly timeoutMs: number;
  /** What gRPC requests may ask for in place of it; null when they may not. */
  readonly grpcTimeout: GrpcTimeoutLimit | null;
  /** Whether the endpoint of a gRPC call is told how long the route grants it. */
  readonly tellsGrpcTimeout: boolean;
  /** -1: the connection manager's holds; 0 is none. */
  readonly idleTimeoutMs: number;
  /** -1: the connection manager's holds; 0 is none. A gRPC request may ask for less, see `durationMs`. */
  readonly maxStreamDurationMs: number;
  readonly retry: RetryPolicy | null;
  /** Routes by a CONNECT matcher. */
  readonly isConnect: boolean;
  /** Which breakers of the cluster count. */
  readonly isHighPriority: boolean;
  /** Lower-case upgrade types, enabled or not; null when the route says nothing. */
  readonly upgrades: ReadonlyMap<string, boolean> | null;
  /** CONNECT ends here: its payload goes to the cluster as raw bytes. */
  readonly terminatesConnect: boolean;
  /** The authority becomes the name of the host that is picked. */
  readonly isAutoHostRewrite: boolean;
  /** How much of a body may be held back; -1: the connection manager's limit. */
  readonly bufferLimitBytes: number;
  /** False where requests are not to be sent anywhere (`non_forwarding_action`). */
  readonly isForwarding: boolean;
  readonly directResponse: DirectResponse | null;
  readonly changesRequestHeaders: boolean;
  readonly changesResponseHeaders: boolean;
  /** `typed_per_filter_config` by filter name, compiled; null when there are none. */
  readonly overrides: ReadonlyMap<string, unknown> | null;
  private readonly cluster: string | null;
  private readonly clusterHeader: string | null;
  private readonly hashPolicy: HashPolicy | null;
  private readonly redirection: Redirect | null;
  private readonly rewriting: Rewrite | null;
  private readonly requestMutations: HeaderMutations | null;
  private readonly responseMutations: HeaderMutations | null;
  private readonly grpcTimeoutMaxMs: number;
  private readonly grpcTimeoutOffsetMs: number;

  constructor(fields: RouteFields) {
    this.name = fields.name;
    this.origin = fields.origin;
    this.metadata = fields.metadata;
    this.virtualHost = fields.virtualHost;
    this.matcher = fields.matcher;
    this.clusterNotFoundStatus = fields.clusterNotFoundStatus;
    this.timeoutMs = fields.timeoutMs;
    this.grpcTimeout = fields.grpcTimeout;
    this.tellsGrpcTimeout =
      fields.grpcTimeout !== null || fields.grpcTimeoutMaxMs >= 0 || fields.maxStreamDurationMs >= 0;
    this.idleTimeoutMs = fields.idleTimeoutMs;
    this.maxStreamDurationMs = fields.maxStreamDurationMs;
    this.retry = fields.retry;
    this.isConnect = fields.matcher.path.isConnect;
    this.isHighPriority = fields.isHighPriority;
    this.upgrades = fields.upgrades;
    this.terminatesConnect = fields.terminatesConnect;
    this.isAutoHostRewrite = fields.isAutoHostRewrite;
    this.bufferLimitBytes = fields.bufferLimitBytes;
    this.isForwarding = fields.isForwarding;
    this.directResponse = fields.directResponse;
    this.changesRequestHeaders = fields.requestMutations !== null;
    this.changesResponseHeaders = fields.responseMutations !== null;
    this.overrides = fields.overrides;
    this.cluster = fields.cluster;
    this.clusterHeader = fields.clusterHeader;
    this.hashPolicy = fields.hashPolicy;
    this.redirection = fields.redirect;
    this.rewriting = fields.rewrite;
    this.requestMutations = fields.requestMutations;
    this.responseMutations = fields.responseMutations;
    this.grpcTimeoutMaxMs = fields.grpcTimeoutMaxMs;
    this.grpcTimeoutOffsetMs = fields.grpcTimeoutOffsetMs;
  }

  /** The reply that sends the client elsewhere, or null. */
  redirect(request: RoutedRequest): RedirectReply | null {
    return this.redirection === null ? null : this.redirection.reply(request, this.matcher.path);
  }

  /** Name of the cluster, or null when the request names none. Weighted clusters were chosen by `RouteTable.match`. */
  pickCluster(request: Pick<RoutedRequest, 'headers'>): string | null {
    if (this.cluster !== null) return this.cluster;
    return this.clusterHeader === null ? null : (request.headers.get(this.clusterHeader) ?? null);
  }

  /** What makes this request go where its like goes, or null. */
  hash(request: HashedRequest): number | null {
    return this.hashPolicy === null ? null : this.hashPolicy.hash(request);
  }

  /** Path and authority as the upstream is to see them. Once per request, before the first attempt. `tells`: what they were, too. */
  rewrite(request: RewritableRequest, tells: boolean): void {
    this.rewriting?.apply(request, this.matcher.path, tells);
  }

  /** `auto_host_rewrite`, when a host with a name was picked for the first attempt. */
  rewriteHost(request: RewritableRequest, hostname: string, tells: boolean): void {
    if (this.isAutoHostRewrite && hostname !== '') this.rewriting?.setAuthority(request, hostname, tells);
  }

  mutateRequestHeaders(headers: Headers, stream: StreamView): void {
    this.requestMutations?.apply(headers, stream);
  }

  mutateResponseHeaders(headers: Headers, stream: StreamView): void {
    this.responseMutations?.apply(headers, stream);
  }

  /** For what the proxy answers in place of an endpoint. As in Envoy, a route that answers by itself changes its own answer only. */
  mutateLocalReply(headers: Headers, stream: StreamView): void {
    if (this.redirection === null && this.directResponse === null) this.responseMutations?.apply(headers, stream);
  }

  /** The compiled settings of that filter for this route, or null. The most specific level counts. */
  filterOverride(filterName: string): unknown {
    return this.overrides === null ? null : (this.overrides.get(filterName) ?? null);
  }

  /** How long the response may take, 0 for ever. */
  timeoutOf(headers: Headers): number {
    if (this.grpcTimeout === null || !isGrpcType(headers.get('content-type'))) return this.timeoutMs;
    return grantedTimeoutMs(this.grpcTimeout, headers.get('grpc-timeout'));
  }

  /** How long the stream may last: the route's limit, or less where a gRPC client asks for it. -1 and 0 as `maxStreamDurationMs`. */
  durationMs(headers: Headers): number {
    if (this.grpcTimeoutMaxMs < 0) return this.maxStreamDurationMs;
    const asked = headers.get('grpc-timeout');
    const askedMs = asked === undefined ? -1 : grpcTimeoutMs(asked);
    if (askedMs < 0) return this.maxStreamDurationMs;
    const limitMs = this.grpcTimeoutMaxMs;
    // A deadline that has passed is no call without one.
    const wantedMs = Math.max(1, askedMs);
    const grantedMs = limitMs === 0 ? wantedMs : Math.min(wantedMs, limitMs);
    // The offset gives the client's own timer the first word, but never takes all of the time.
    return grantedMs > this.grpcTimeoutOffsetMs ? grantedMs - this.grpcTimeoutOffsetMs : grantedMs;
  }
}
