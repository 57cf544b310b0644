// The upstream half of a TCP session that goes through another proxy: a request whose bodies are the two directions of the connection.

import type { Clock } from '@weft/lib/clock';
import type { Headers } from '@weft/lib/header';
import type { Host } from '../../cluster/host.ts';
import { type Fault, fault } from '../../fault/fault.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { poolOf } from '../../upstream/pool.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamPool, UpstreamStream } from '../../upstream/upstream-stream.ts';

/** What a session writes to and holds back: a connection, or a tunnel through one. */
export interface TcpUpstream {
  readonly isCongested: boolean;
  readonly paused: boolean;
  write(buffer: Buffer, offset: number, length: number): void;
  /** Nothing more will be written. */
  end(): void;
  pause(): void;
  resume(): void;
}

/** The session. Exactly one of the first two is called, once; the others follow the first. */
export interface TunnelOwner {
  onTunnelOpen(tunnel: ConnectTunnel, localAddress: string): void;
  onTunnelFailed(reason: Fault, details: string): void;
  onUpstreamBytes(buffer: Buffer, offset: number, length: number): void;
  onUpstreamFin(): void;
  onTunnelLost(reason: Fault, details: string): void;
  onUpstreamDrain(): void;
}

const noBytes = Buffer.alloc(0);

/** States: waiting -> open -> over. */
export class ConnectTunnel implements TcpUpstream, UpstreamEvents {
  private readonly owner: TunnelOwner;
  private readonly host: Host;
  private pool: UpstreamPool | null = null;
  private stream: UpstreamStream | null = null;
  private isOpen = false;
  private isOver = false;
  private isRequestEnded = false;
  private isResponseEnded = false;
  paused = false;

  constructor(owner: TunnelOwner, host: Host) {
    this.owner = owner;
    this.host = host;
  }

  start(head: UpstreamHead, client: ConnectionInfo, clock: Clock): void {
    const { cluster } = this.host;
    if (!cluster.breakers.tryRequest()) {
      this.isOver = true;
      cluster.stats.upstreamRqPendingOverflow.inc();
      this.owner.onTunnelFailed(fault.breaker_open, 'max_requests');
      return;
    }
    this.host.onRequestStart();
    this.pool = poolOf(this.host, { client, endsTunnel: false, isHttp2Client: false }, clock);
    this.pool.start(head, false, this);
  }

  get isCongested(): boolean {
    return this.stream?.isCongested ?? false;
  }

  write(buffer: Buffer, offset: number, length: number): void {
    this.stream?.sendData(buffer, offset, length, false);
  }

  end(): void {
    if (this.isRequestEnded) return;
    this.isRequestEnded = true;
    this.stream?.sendData(noBytes, 0, 0, true);
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.stream?.pauseResponse();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.stream?.resumeResponse();
  }

  /** The session is over. What is not complete in both directions is cut. */
  close(): void {
    if (this.isOver) return;
    const { stream, pool } = this;
    this.release();
    if (stream === null) pool?.cancel(this);
    else if (!this.isRequestEnded || !this.isResponseEnded) stream.abandon();
  }

  private release(): void {
    this.isOver = true;
    this.stream = null;
    this.pool = null;
    this.host.onRequestEnd();
    this.host.cluster.breakers.releaseRequest();
  }

  private fail(reason: Fault, details: string): void {
    const { isOpen } = this;
    this.release();
    if (isOpen) this.owner.onTunnelLost(reason, details);
    else this.owner.onTunnelFailed(reason, details);
  }

  // ---- from the pool

  onUpstreamReady(stream: UpstreamStream): void {
    this.stream = stream;
    this.host.onRequestSent();
  }

  onInformational(): void {}

  onResponseHead(status: number, _headers: Headers, endStream: boolean): void {
    if (this.isOver) return;
    this.host.onRequestResult(status);
    const { stream } = this;
    if (status < 200 || status > 299 || stream === null) {
      if (!endStream || !this.isRequestEnded) stream?.abandon();
      this.fail(fault.upgrade_failed, `the tunnel was refused with ${status}`);
      return;
    }
    this.isOpen = true;
    this.owner.onTunnelOpen(this, stream.localAddress);
    if (endStream) this.onResponseOver();
  }

  onResponseData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (this.isOver) return;
    if (length > 0) this.owner.onUpstreamBytes(buffer, offset, length);
    if (endStream) this.onResponseOver();
  }

  onResponseTrailers(): void {
    this.onResponseOver();
  }

  private onResponseOver(): void {
    if (this.isOver) return;
    this.isResponseEnded = true;
    this.owner.onUpstreamFin();
  }

  onUpstreamFailed(reason: Fault, details: string): void {
    if (this.isOver) return;
    this.host.onRequestFailed(reason);
    this.fail(reason, details);
  }

  onUpstreamDrain(): void {
    if (!this.isOver) this.owner.onUpstreamDrain();
  }
}
