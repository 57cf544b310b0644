// The TCP proxy: each connection is carried to a host of its cluster as bytes, both ways, half-close kept.

import type { Clock, Timer } from '@weft/lib/clock';
import type { Counter, Gauge, Scope } from '@weft/lib/metrics';
import { type Placed, PlacedSet } from '@weft/lib/placed-set';
import type { Cluster } from '../../cluster/cluster.ts';
import { hashText } from '../../cluster/hash.ts';
import type { Host } from '../../cluster/host.ts';
import { type Fault, fault } from '../../fault/fault.ts';
import type { Connection, ConnectionOwner } from '../../io/connection.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import type { ClusterSource } from '../../stream/stream-config.ts';
import type { AccessLogger } from '../../telemetry/access-log.ts';
import type { DecisionLog } from '../../telemetry/decisions.ts';
import { ConnectionView } from '../../telemetry/view.ts';
import type { ConnectEvents, Connecting } from '../../upstream/connect.ts';
import { connectionFailed, connectionOver, openConnection } from '../../upstream/connection-ledger.ts';
import type { TerminalFilter } from '../network-filter.ts';
import { ConnectTunnel, type TcpUpstream, type TunnelOwner } from './connect-tunnel.ts';
import type { Tunneling } from './tunneling.ts';

/** One target and its share. */
export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
}

/** What a TCP proxy is made of; compiled from `envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`. */
export interface TcpProxyOptions {
  readonly clusters: ClusterSource;
  readonly targets: readonly WeightedCluster[];
  readonly clock: Clock;
  readonly random: () => number;
  /** 0 means none. */
  readonly idleTimeoutMs: number;
  readonly maxDurationMs: number;
  readonly maxConnectAttempts: number;
  /** Connections from one address go to one host, where the cluster's balancer hashes. */
  readonly hashesSource: boolean;
  /** Through another proxy, or null. */
  readonly tunneling: Tunneling | null;
  readonly scope: Scope;
  readonly accessLog: AccessLogger | null;
  readonly decisions: DecisionLog;
}

class TcpStats {
  readonly total: Counter;
  readonly active: Gauge;
  readonly noRoute: Counter;
  readonly rxBytes: Counter;
  readonly txBytes: Counter;
  readonly idleTimeout: Counter;
  readonly maxDuration: Counter;

  constructor(scope: Scope) {
    this.total = scope.counter('downstream_cx_total');
    this.active = scope.gauge('downstream_cx_active');
    this.noRoute = scope.counter('downstream_cx_no_route');
    this.rxBytes = scope.counter('downstream_cx_rx_bytes_total');
    this.txBytes = scope.counter('downstream_cx_tx_bytes_total');
    this.idleTimeout = scope.counter('idle_timeout');
    this.maxDuration = scope.counter('max_downstream_connection_duration');
  }
}

export class TcpProxy implements TerminalFilter {
  readonly name = 'envoy.filters.network.tcp_proxy';
  readonly isReady = true;
  readonly options: TcpProxyOptions;
  readonly stats: TcpStats;
  private readonly sessions = new PlacedSet<TcpSession>();
  private readonly totalWeight: number;

  constructor(options: TcpProxyOptions) {
    this.options = options;
    this.stats = new TcpStats(options.scope);
    this.totalWeight = options.targets.reduce((sum, target) => sum + target.weight, 0);
  }

  get connections(): number {
    return this.sessions.size;
  }

  take(connection: Connection, info: ConnectionInfo): void {
    this.stats.total.inc();
    this.stats.active.inc();
    const session = new TcpSession(this, connection, info);
    this.sessions.add(session);
    session.start();
  }

  pickCluster(): string {
    const { targets } = this.options;
    let point = this.options.random() * this.totalWeight;
    for (const target of targets) {
      point -= target.weight;
      if (point < 0) return target.name;
    }
    return targets.at(-1)?.name ?? '';
  }

  onSessionOver(session: TcpSession): void {
    if (this.sessions.delete(session)) this.stats.active.dec();
  }

  // A session stays with its host. It goes on as if it had come later where the new configuration would have sent it the same
  // way, else it is to drain; what the new policies do not admit ends now.
  succeedBy(next: TerminalFilter, admits: (info: ConnectionInfo) => boolean): boolean {
    for (const session of this.sessions.all()) {
      if (!admits(session.info)) session.end(fault.access_denied, 'policy_changed');
    }
    if (!(next instanceof TcpProxy) || !isSameWay(this.options, next.options)) return false;
    for (const session of this.sessions.all()) {
      this.sessions.delete(session);
      this.stats.active.dec();
      next.stats.active.inc();
      next.sessions.add(session);
      session.moveTo(next);
    }
    return true;
  }

  drain(): void {}

  closeIdle(): void {}

  closeAll(): void {
    for (const session of this.sessions.all()) session.end(fault.draining, 'drain');
  }
}

function isSameWay(a: TcpProxyOptions, b: TcpProxyOptions): boolean {
  return (
    a.idleTimeoutMs === b.idleTimeoutMs &&
    a.maxDurationMs === b.maxDurationMs &&
    a.hashesSource === b.hashesSource &&
    a.tunneling?.key === b.tunneling?.key &&
    JSON.stringify(a.targets) === JSON.stringify(b.targets)
  );
}

/** States: connecting -> piping -> over. The downstream half owns the session; the upstream half is `Upstream`. */
class TcpSession implements ConnectionOwner, ConnectEvents, TunnelOwner, Placed {
  place = -1;
  readonly downstream: Connection;
  private proxy: TcpProxy;
  private readonly view: ConnectionView;
  private cluster: Cluster | null = null;
  private host: Host | null = null;
  private connecting: Connecting | null = null;
  private upstream: TcpUpstream | null = null;
  /** One of the two carries what `upstream` takes. */
  private connection: Connection | null = null;
  private tunnel: ConnectTunnel | null = null;
  private held: Buffer[] | null = null;
  private isDownstreamEnded = false;
  private isUpstreamEnded = false;
  private holdsConnection = false;
  private isOver = false;
  private activeMs: number;
  private idleTimer: Timer | null = null;
  private durationTimer: Timer | null = null;

  constructor(proxy: TcpProxy, downstream: Connection, info: ConnectionInfo) {
    const { clock } = proxy.options;
    this.proxy = proxy;
    this.downstream = downstream;
    this.view = new ConnectionView(info, clock.wallMs(), clock.now());
    this.activeMs = this.view.startMs;
    if (proxy.options.accessLog !== null) info.keepAddresses?.();
    downstream.owner = this;
  }

  get info(): ConnectionInfo {
    return this.view.connection;
  }

  /** Goes on as a session of another. */
  moveTo(next: TcpProxy): void {
    this.proxy = next;
  }

  start(): void {
    const { proxy } = this;
    const { clock, idleTimeoutMs, maxDurationMs, clusters } = proxy.options;
    if (idleTimeoutMs > 0) this.idleTimer = clock.start(idleTimeoutMs, onIdleCheck, this as TcpSession);
    if (maxDurationMs > 0) this.durationTimer = clock.start(maxDurationMs, onMaxDuration, this as TcpSession);
    const name = proxy.pickCluster();
    this.cluster = clusters.get(name);
    this.view.cluster = this.cluster;
    if (this.cluster === null) {
      proxy.stats.noRoute.inc();
      this.end(fault.no_cluster, `cluster ${name}`);
      return;
    }
    this.downstream.pause();
    this.connect();
  }

  private connect(): void {
    const { cluster, view, proxy } = this;
    if (cluster === null) return;
    const { clock, random } = proxy.options;
    this.host = cluster.pick({
      hash: proxy.options.hashesSource ? hashText(view.connection.remoteAddress) : null,
      originalDestination: view.connection.originalDestination,
      attempted: null,
      random: random(),
      headers: null,
    });
    view.host = this.host;
    if (this.host === null) {
      this.end(fault.no_healthy_host, 'no_healthy_upstream');
      return;
    }
    if (proxy.options.tunneling !== null) {
      this.openTunnel(proxy.options.tunneling, this.host);
      return;
    }
    this.connecting = openConnection(this.host, clock, this, {
      breakers: this.host.cluster.breakers,
      header: this.host.proxyHeader?.headerFor(view.connection) ?? null,
      isFirst: false,
      alpnFallback: [],
    });
    if (this.connecting === null) {
      this.end(fault.breaker_open, 'max_connections');
      return;
    }
    this.holdsConnection = true;
    view.attempts++;
  }

  onConnected(_connecting: Connecting, connection: Connection): void {
    this.connecting = null;
    this.connection = connection;
    this.host?.onTcpConnectResult(true);
    connection.owner = new UpstreamHalf(this);
    const localAddress = `${connection.socket.localAddress ?? ''}:${connection.socket.localPort ?? 0}`;
    this.onUpstreamOpen(connection, localAddress);
  }

  private onUpstreamOpen(upstream: TcpUpstream, localAddress: string): void {
    const { view } = this;
    this.upstream = upstream;
    view.upstreamStartMs = this.proxy.options.clock.now() - view.startMs;
    view.upstreamLocalAddress = localAddress;
    for (const chunk of this.held ?? []) upstream.write(chunk, 0, chunk.length);
    this.held = null;
    if (this.isDownstreamEnded) upstream.end();
    else this.downstream.resume();
  }

  onConnectFailed(_connecting: Connecting, reason: Fault, details: string): void {
    this.connecting = null;
    this.holdsConnection = false;
    if (this.host !== null) {
      connectionFailed(this.host, this.host.cluster.breakers, reason);
      this.host.onConnectFailed(reason);
    }
    this.retryOrEnd(reason, details);
  }

  private retryOrEnd(reason: Fault, details: string): void {
    if (this.view.attempts < this.proxy.options.maxConnectAttempts) this.connectAgain();
    else {
      this.cluster?.stats.upstreamCxConnectAttemptsExceeded.inc();
      this.end(reason, details);
    }
  }

  // Since the last attempt another version of the cluster may have come, and the hosts of the old one may be gone.
  private connectAgain(): void {
    const { cluster, view, proxy } = this;
    if (cluster === null) return;
    this.cluster = view.cluster = proxy.options.clusters.get(cluster.name);
    if (this.cluster === null) this.end(fault.no_healthy_host, 'no_healthy_upstream');
    else this.connect();
  }

  // ---- through another proxy

  private openTunnel(tunneling: Tunneling, host: Host): void {
    const { view } = this;
    view.attempts++;
    const tunnel = new ConnectTunnel(this, host);
    this.tunnel = tunnel;
    tunnel.start(tunneling.headFor(view, host.tls !== null), view.connection, this.proxy.options.clock);
  }

  onTunnelOpen(tunnel: ConnectTunnel, localAddress: string): void {
    this.onUpstreamOpen(tunnel, localAddress);
  }

  onTunnelFailed(reason: Fault, details: string): void {
    this.tunnel = null;
    if (reason.source === 'upstream') this.retryOrEnd(reason, details);
    else this.end(reason, details);
  }

  onTunnelLost(reason: Fault, details: string): void {
    this.tunnel = null;
    this.end(reason, details);
  }

  // ---- from the client

  onBytes(buffer: Buffer, offset: number, length: number): void {
    this.activeMs = this.proxy.options.clock.now();
    this.view.bytesReceived += length;
    this.proxy.stats.rxBytes.value += length;
    const { upstream } = this;
    if (upstream === null) {
      // What the kernel had handed over before the pause; at most one read.
      const copy = Buffer.from(buffer.subarray(offset, offset + length));
      if (this.held === null) this.held = [copy];
      else this.held.push(copy);
      return;
    }
    upstream.write(buffer, offset, length);
    if (upstream.isCongested) this.downstream.pause();
  }

  onFin(): void {
    this.isDownstreamEnded = true;
    this.upstream?.end();
    this.endIfComplete();
  }

  onClose(error: Error | null): void {
    if (!this.endIfComplete()) this.end(error === null ? null : fault.downstream_closed, error?.message ?? '');
  }

  onDrain(): void {
    if (this.upstream?.paused !== true) return;
    this.cluster?.stats.upstreamFlowControlResumedReadingTotal.inc();
    this.upstream.resume();
  }

  private pauseUpstream(): void {
    if (this.upstream === null || this.upstream.paused) return;
    this.cluster?.stats.upstreamFlowControlPausedReadingTotal.inc();
    this.upstream.pause();
  }

  // ---- from the host

  onUpstreamBytes(buffer: Buffer, offset: number, length: number): void {
    this.activeMs = this.proxy.options.clock.now();
    this.view.bytesSent += length;
    this.proxy.stats.txBytes.value += length;
    this.downstream.write(buffer, offset, length);
    if (this.downstream.isCongested) this.pauseUpstream();
  }

  onUpstreamFin(): void {
    this.isUpstreamEnded = true;
    this.downstream.end();
    this.endIfComplete();
  }

  onUpstreamClose(error: Error | null): void {
    this.releaseConnection();
    if (!this.endIfComplete()) this.end(error === null ? null : fault.upstream_closed, error?.message ?? '');
  }

  onUpstreamDrain(): void {
    this.downstream.resume();
  }

  // ---- endings

  onIdleCheck(): void {
    const { clock, idleTimeoutMs } = this.proxy.options;
    const leftMs = this.activeMs + idleTimeoutMs - clock.now();
    if (leftMs > 0) {
      this.idleTimer = clock.start(leftMs, onIdleCheck, this as TcpSession);
      return;
    }
    this.proxy.stats.idleTimeout.inc();
    this.end(fault.stream_idle, 'idle_timeout');
  }

  onMaxDuration(): void {
    this.proxy.stats.maxDuration.inc();
    this.end(fault.max_duration, 'max_downstream_connection_duration');
  }

  /**
   * Whether both sides have said their last. The session is over once that is on its way too; until then its time limits hold, or a
   * reader that has stopped would keep its socket for ever.
   */
  private endIfComplete(): boolean {
    if (!this.isDownstreamEnded || !this.isUpstreamEnded) return false;
    if (!hasLastBytes(this.downstream) && !hasLastBytes(this.connection)) this.end(null, '');
    return true;
  }

  private releaseConnection(): void {
    if (this.holdsConnection && this.host !== null) connectionOver(this.host, this.host.cluster.breakers);
    this.holdsConnection = false;
  }

  /** Ends both halves; with a fault the client sees a reset, so that it does not take the bytes for complete. */
  end(reason: Fault | null, details: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.idleTimer?.stop();
    this.durationTimer?.stop();
    this.connecting?.cancel();
    const { downstream, connection, tunnel, view, proxy } = this;
    closeHalf(downstream, reason);
    if (connection !== null) closeHalf(connection, reason);
    if (tunnel !== null) tunnel.close();
    this.releaseConnection();
    view.fault = reason;
    view.details = details;
    view.endMs = proxy.options.clock.now() - view.startMs;
    if (reason !== null) {
      view.decisionId = proxy.options.decisions.newId();
      proxy.options.decisions.record(view);
    }
    proxy.options.accessLog?.log(view);
    proxy.onSessionOver(this);
  }
}

function hasLastBytes(connection: Connection | null): boolean {
  if (connection === null || connection.isClosed) return false;
  connection.flush();
  return connection.hasUnsent;
}

function closeHalf(connection: Connection, reason: Fault | null): void {
  connection.release();
  if (connection.isClosed) return;
  connection.flush();
  if (reason === null) connection.finish();
  else connection.reset();
}

/** Names the events of the upstream half apart from the client's. */
class UpstreamHalf implements ConnectionOwner {
  private readonly session: TcpSession;

  constructor(session: TcpSession) {
    this.session = session;
  }

  onBytes(buffer: Buffer, offset: number, length: number): void {
    this.session.onUpstreamBytes(buffer, offset, length);
  }

  onFin(): void {
    this.session.onUpstreamFin();
  }

  onClose(error: Error | null): void {
    this.session.onUpstreamClose(error);
  }

  onDrain(): void {
    this.session.onUpstreamDrain();
  }
}

function onIdleCheck(session: TcpSession): void {
  session.onIdleCheck();
}

function onMaxDuration(session: TcpSession): void {
  session.onMaxDuration();
}
