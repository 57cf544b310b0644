// The HTTP connection manager as it runs: everything its connections and exchanges share, compiled once.

import type { Clock } from '@weft/lib/clock';
import { emptyHeaderBlock, Headers } from '@weft/lib/header';
import { PlacedSet } from '@weft/lib/placed-set';
import type { HttpFilter } from '../../http-filter/filter.ts';
import type { Connection, ConnectionOwner } from '../../io/connection.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { TunnelInfo } from '../../io/socket-info.ts';
import type { Http1Limits } from '../../protocol/http1/decode.ts';
import type { Http2Limits, Http2Settings } from '../../protocol/http2/settings.ts';
import type { ForwardedClientCert } from '../../security/forwarded-client-cert.ts';
import type { Exchange } from '../../stream/exchange.ts';
import { decisionHeader } from '../../stream/local-reply.ts';
import type { ClusterSource, RouteSource, StreamConfig } from '../../stream/stream-config.ts';
import type { AccessLogger } from '../../telemetry/access-log.ts';
import type { DecisionLog } from '../../telemetry/decisions.ts';
import type { KeepAlivePlan } from '../../upstream/http2-keep-alive.ts';
import type { HealthState, InternalListeners } from '../network-context.ts';
import type { TerminalFilter } from '../network-filter.ts';
import { CodecDetection } from './codec-detection.ts';
import type { ManagerCounters } from './counters.ts';
import { dateText } from './date.ts';
import type { UnderscoreAction } from './header-names.ts';
import { Http1Server } from './http1-server.ts';
import { Http2Server } from './http2-server.ts';
import type { PathPolicy } from './path.ts';
import type { PreparedHead, StripPort } from './request-head.ts';

/** What `compile.ts` makes of an `HttpConnectionManager` message. Times are milliseconds, 0 means none. */
export interface ManagerOptions {
  readonly filters: readonly HttpFilter[];
  readonly routes: RouteSource & { readonly isReady: boolean };
  readonly clusters: ClusterSource;
  readonly clock: Clock;
  readonly random: () => number;
  /** Fixed by configuration, or found out from the first bytes. */
  readonly codec: 'auto' | 'http1' | 'http2';
  readonly http2Settings: Http2Settings;
  readonly http2Limits: Http2Limits;
  readonly limits: Http1Limits;
  readonly bufferLimitBytes: number;
  readonly idleTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly maxConnectionDurationMs: number;
  /** 0 means no limit. */
  readonly maxRequestsPerConnection: number;
  readonly keepAlive: KeepAlivePlan | null;
  readonly underscores: UnderscoreAction;
  readonly upgrades: ReadonlyMap<string, boolean>;
  readonly pathPolicy: PathPolicy | null;
  readonly stripsPort: StripPort | null;
  readonly usesRemoteAddress: boolean;
  readonly skipsForwardedFor: boolean;
  readonly trustedHops: number;
  readonly generatesRequestId: boolean;
  readonly preservesRequestId: boolean;
  readonly returnsRequestId: boolean;
  readonly forwardedClientCert: ForwardedClientCert | null;
  readonly via: string;
  readonly serverName: string;
  readonly serverHeader: 'overwrite' | 'append-if-absent' | 'pass-through';
  readonly suppressEnvoyHeaders: boolean;
  readonly accessLog: AccessLogger | null;
  readonly decisions: DecisionLog;
  readonly health: HealthState;
  readonly internal: InternalListeners;
  readonly counters: ManagerCounters;
}

function withHook<K extends keyof HttpFilter>(filters: readonly HttpFilter[], hook: K): readonly HttpFilter[] | null {
  const found = filters.filter((filter) => filter[hook] !== null);
  return found.length === 0 ? null : found;
}

const noNames: readonly string[] = [];

/** A connection of either protocol. */
type HttpServer = Http1Server | Http2Server;

export class HttpConnectionManager implements TerminalFilter, StreamConfig {
  readonly name = 'envoy.filters.network.http_connection_manager';
  readonly filters: readonly HttpFilter[];
  readonly requestDataHooks: readonly HttpFilter[] | null;
  readonly requestTrailerHooks: readonly HttpFilter[] | null;
  readonly responseHeadHooks: readonly HttpFilter[] | null;
  readonly responseDataHooks: readonly HttpFilter[] | null;
  readonly responseTrailerHooks: readonly HttpFilter[] | null;
  readonly completeHooks: readonly HttpFilter[] | null;
  readonly routes: RouteSource;
  readonly clusters: ClusterSource;
  readonly clock: Clock;
  readonly random: () => number;
  /** Fixed by configuration, or found out from the first bytes. */
  readonly codec: 'auto' | 'http1' | 'http2';
  readonly http2Settings: Http2Settings;
  readonly http2Limits: Http2Limits;
  readonly limits: Http1Limits;
  readonly bufferLimitBytes: number;
  readonly idleTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxRequestsPerConnection: number;
  readonly keepAlive: KeepAlivePlan | null;
  readonly underscores: UnderscoreAction;
  readonly watchPeriodMs: number;
  readonly upgrades: ReadonlyMap<string, boolean>;
  readonly pathPolicy: PathPolicy | null;
  readonly stripsPort: StripPort | null;
  readonly usesRemoteAddress: boolean;
  readonly skipsForwardedFor: boolean;
  readonly trustedHops: number;
  readonly generatesRequestId: boolean;
  readonly preservesRequestId: boolean;
  readonly forwardedClientCert: ForwardedClientCert | null;
  readonly via: string;
  readonly suppressEnvoyHeaders: boolean;
  readonly accessLog: AccessLogger | null;
  readonly decisions: DecisionLog;
  readonly counters: ManagerCounters;
  readonly stats: ManagerCounters;
  private readonly health: HealthState;
  private isLeaving = false;
  private successor: HttpConnectionManager | null = null;
  private readonly options: ManagerOptions;
  private readonly servers = new PlacedSet<HttpServer>();
  /** Connections that have not said yet which protocol they speak. */
  private readonly detections = new PlacedSet<CodecDetection>();

  constructor(options: ManagerOptions) {
    this.options = options;
    this.filters = options.filters;
    for (const [slot, filter] of options.filters.entries()) filter.slot = slot;
    const reversed = [...options.filters].reverse();
    this.requestDataHooks = withHook(options.filters, 'onRequestData');
    this.requestTrailerHooks = withHook(options.filters, 'onRequestTrailers');
    this.responseHeadHooks = withHook(reversed, 'onResponseHead');
    this.responseDataHooks = withHook(reversed, 'onResponseData');
    this.responseTrailerHooks = withHook(reversed, 'onResponseTrailers');
    this.completeHooks = withHook(options.filters, 'onComplete');
    this.routes = options.routes;
    this.clusters = options.clusters;
    this.clock = options.clock;
    this.random = options.random;
    this.codec = options.codec;
    this.http2Settings = options.http2Settings;
    this.http2Limits = options.http2Limits;
    this.limits = options.limits;
    this.bufferLimitBytes = options.bufferLimitBytes;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.streamIdleTimeoutMs = options.streamIdleTimeoutMs;
    this.requestTimeoutMs = options.requestTimeoutMs;
    this.headersTimeoutMs = options.headersTimeoutMs;
    this.maxStreamDurationMs = options.maxStreamDurationMs;
    this.maxConnectionDurationMs = options.maxConnectionDurationMs;
    this.maxRequestsPerConnection = options.maxRequestsPerConnection;
    this.keepAlive = options.keepAlive;
    this.underscores = options.underscores;
    this.watchPeriodMs = shortest(options);
    this.upgrades = options.upgrades;
    this.pathPolicy = options.pathPolicy;
    this.stripsPort = options.stripsPort;
    this.usesRemoteAddress = options.usesRemoteAddress;
    this.skipsForwardedFor = options.skipsForwardedFor;
    this.trustedHops = options.trustedHops;
    this.generatesRequestId = options.generatesRequestId;
    this.preservesRequestId = options.preservesRequestId;
    this.forwardedClientCert = options.forwardedClientCert;
    this.via = options.via;
    this.suppressEnvoyHeaders = options.suppressEnvoyHeaders;
    this.accessLog = options.accessLog;
    this.decisions = options.decisions;
    this.health = options.health;
    this.counters = options.counters;
    this.stats = options.counters;
  }

  /** The client stands outside the mesh: its words about itself count for nothing (Envoy: use_remote_address). */
  get isEdge(): boolean {
    return this.usesRemoteAddress;
  }

  /** Headers that only the mesh itself may send, by the routes in force. */
  get internalOnlyHeaders(): readonly string[] {
    return this.routes.current()?.internalOnlyHeaders ?? noNames;
  }

  get isReady(): boolean {
    return this.options.routes.isReady;
  }

  get connections(): number {
    return this.servers.size + this.detections.size;
  }

  take(connection: Connection, info: ConnectionInfo): void {
    if (this.accessLog !== null) info.keepAddresses?.();
    if (info.alpn === 'h2' || this.codec === 'http2') this.serveHttp2(connection, info);
    else if (info.alpn !== '' || this.codec === 'http1') this.serveHttp1(connection, info);
    else this.detections.add(new CodecDetection(this, connection, info));
  }

  onDetectionOver(detection: CodecDetection): void {
    this.detections.delete(detection);
  }

  serveHttp1(connection: Connection, info: ConnectionInfo): ConnectionOwner {
    if (this.successor !== null) return this.successor.serveHttp1(connection, info);
    const server = new Http1Server(this, connection, info);
    this.servers.add(server);
    return server;
  }

  serveHttp2(connection: Connection, info: ConnectionInfo): ConnectionOwner {
    if (this.successor !== null) return this.successor.serveHttp2(connection, info);
    const server = new Http2Server(this, connection, info);
    this.servers.add(server);
    return server;
  }

  onConnectionOpen(): void {
    this.counters.onConnectionOpen();
  }

  onConnectionClose(server: HttpServer): void {
    if (this.servers.delete(server)) this.counters.onConnectionClose();
  }

  onRequest(exchange: Exchange): void {
    this.counters.onRequest(exchange);
  }

  /** The head that stands for one that could not be read, so that its refusal is logged and counted like any other. */
  unreadableHead(info: ConnectionInfo): PreparedHead {
    return {
      method: '',
      path: '',
      authority: '',
      scheme: info.transportProtocol === 'tls' ? 'https' : 'http',
      protocol: 'HTTP/1.1',
      headers: new Headers(emptyHeaderBlock),
      upgrade: null,
      refusal: null,
      refusalDetails: '',
      redirectPath: null,
      requestId: '',
      clientAddress: info.remoteAddress,
    };
  }

  readonly finishResponseHead = (exchange: Exchange): void => {
    const headers = exchange.responseHeaders;
    if (headers === null) return;
    const { options } = this;
    if (options.serverHeader === 'overwrite') headers.set('server', options.serverName);
    else if (options.serverHeader === 'append-if-absent' && !headers.has('server'))
      headers.add('server', options.serverName);
    if (!headers.has('date')) headers.add('date', dateText(this.clock.wallMs()));
    if (options.returnsRequestId && exchange.requestId !== '') headers.set('x-request-id', exchange.requestId);
    if (options.via !== '') headers.add('via', options.via);
    // One that a proxy behind this one told it, as a peer.
    if (headers.has(decisionHeader) && !this.showsDecision(exchange)) headers.remove(decisionHeader);
  };

  // Ids of decisions are for those who may ask: clients on this machine and peers whose certificate was verified.
  readonly showsDecision = (exchange: Exchange): boolean => {
    const { connection } = exchange;
    if (connection.peer !== null) return true;
    const { remoteAddress } = connection;
    return remoteAddress.startsWith('127.') || remoteAddress === '::1' || remoteAddress === '';
  };

  hasTunnel(listener: string): boolean {
    return this.options.internal.has(listener);
  }

  takeTunnel(listener: string, connection: Connection, exchange: Exchange, rest: Buffer): void {
    const info = new TunnelInfo(exchange.connection, exchange.authority);
    this.options.internal.take(listener, connection, info, rest);
  }

  // What runs ends by the old configuration, the next request on the same connection goes by the new one: a changed policy
  // holds at once, and no connection is lost to it.
  succeedBy(next: TerminalFilter, admits: (info: ConnectionInfo) => boolean): boolean {
    if (!(next instanceof HttpConnectionManager)) return false;
    this.successor = next;
    for (const server of this.servers.all()) {
      if (!admits(server.info)) {
        server.destroy();
        continue;
      }
      this.servers.delete(server);
      this.counters.cxActive.dec();
      next.servers.add(server);
      next.counters.cxActive.inc();
      server.moveTo(next);
    }
    this.passDetections(next, admits);
    return true;
  }

  private passDetections(next: HttpConnectionManager, admits: (info: ConnectionInfo) => boolean): void {
    for (const detection of this.detections.all()) {
      if (!admits(detection.info)) {
        detection.destroy();
        continue;
      }
      this.detections.delete(detection);
      next.detections.add(detection);
      detection.moveTo(next);
    }
  }

  /** Connections end with the exchange at hand. As in Envoy also while the health check fails, which may be taken back. */
  get isDraining(): boolean {
    return this.isLeaving || this.health.isFailed;
  }

  drain(): void {
    this.isLeaving = true;
  }

  closeIdle(): void {
    this.isLeaving = true;
    for (const server of this.servers.all()) server.drain();
    for (const detection of this.detections.all()) detection.destroy();
  }

  closeAll(): void {
    for (const server of this.servers.all()) server.destroy();
    for (const detection of this.detections.all()) detection.destroy();
  }
}

// How often a connection looks at its deadlines: often enough for the shortest of them.
function shortest(options: ManagerOptions): number {
  const { idleTimeoutMs, streamIdleTimeoutMs, requestTimeoutMs, headersTimeoutMs, maxConnectionDurationMs } = options;
  const set = [idleTimeoutMs, streamIdleTimeoutMs, requestTimeoutMs, headersTimeoutMs, maxConnectionDurationMs];
  return Math.max(10, Math.min(60_000, ...set.filter((ms) => ms > 0)));
}
