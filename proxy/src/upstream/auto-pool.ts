// Connections to a host that says by ALPN whether it speaks HTTP/2 (Envoy: auto_config): the first one finds out, the others follow.

import type { TLSSocket } from 'node:tls';
import type { Clock } from '@weft/lib/clock';
import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { Host } from '../cluster/host.ts';
import type { Fault } from '../fault/fault.ts';
import type { Connection } from '../io/connection.ts';
import type { ConnectEvents, Connecting } from './connect.ts';
import { connectionFailed, openConnection } from './connection-ledger.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamPool } from './upstream-stream.ts';
import { WaitingQueue } from './waiting-queue.ts';

/** A pool that takes over a connection which somebody else opened. */
export interface AdoptingPool extends UpstreamPool {
  adopt(connection: Connection): void;
  /** Who knows for which pool a connection is that this one opened; null where it is for itself. */
  negotiator: Negotiator | null;
}

/** Knows what both sides agreed upon. */
export interface Negotiator {
  poolOf(connection: Connection): AdoptingPool;
}

/** The pool of each protocol. */
export interface ProtocolPools {
  readonly http1: AdoptingPool;
  readonly http2: AdoptingPool;
}

export class AutoPool implements UpstreamPool, ConnectEvents, Negotiator {
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly header: Buffer | null;
  private readonly breakers: Breakers;
  private readonly pools: ProtocolPools;
  private readonly waiting: WaitingQueue;
  private connecting: Connecting | null = null;
  /** What was negotiated, as long as a connection of it lives: after that the host may have become another. */
  private agreed: AdoptingPool | null = null;
  private isDraining = false;

  constructor(host: Host, clock: Clock, header: Buffer | null, breakers: Breakers, pools: ProtocolPools) {
    this.host = host;
    this.clock = clock;
    this.header = header;
    this.breakers = breakers;
    this.pools = pools;
    this.waiting = new WaitingQueue(host.cluster, breakers);
    pools.http1.negotiator = pools.http2.negotiator = this;
  }

  get connections(): number {
    const { http1, http2 } = this.pools;
    return http1.connections + http2.connections + (this.connecting === null ? 0 : 1);
  }

  start(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): void {
    const { agreed } = this;
    if (agreed !== null && agreed.connections > 0) {
      agreed.start(head, endStream, events);
      return;
    }
    if (!this.waiting.push(head, endStream, events)) return;
    this.connecting ??= openConnection(this.host, this.clock, this, {
      breakers: this.breakers,
      header: this.header,
      isFirst: this.connections === 0,
      alpnFallback: [],
    });
    if (this.connecting === null) this.waiting.rejectStranded();
  }

  onConnected(_connecting: Connecting, connection: Connection): void {
    this.connecting = null;
    const pool = this.poolOf(connection);
    pool.adopt(connection);
    this.waiting.moveTo(pool);
    if (this.isDraining) pool.drain();
  }

  /** Each connection is asked: the next one may end at another program behind the same address. */
  poolOf(connection: Connection): AdoptingPool {
    const { alpnProtocol } = connection.socket as Partial<TLSSocket>;
    this.agreed = alpnProtocol === 'h2' ? this.pools.http2 : this.pools.http1;
    return this.agreed;
  }

  onConnectFailed(_connecting: Connecting, reason: Fault, details: string): void {
    this.connecting = null;
    connectionFailed(this.host, this.breakers, reason);
    this.host.onConnectFailed(reason);
    this.waiting.rejectAll(reason, details);
  }

  cancel(events: UpstreamEvents): void {
    this.waiting.cancel(events);
    this.pools.http1.cancel(events);
    this.pools.http2.cancel(events);
  }

  drain(): void {
    this.isDraining = true;
    this.pools.http1.drain();
    this.pools.http2.drain();
  }
}
