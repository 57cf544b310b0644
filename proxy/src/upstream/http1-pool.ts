// The HTTP/1.1 connections of one host: the most recently used free one first, a new one while the limits allow, else a bounded wait.

import type { Clock } from '@weft/lib/clock';
import { PlacedSet } from '@weft/lib/placed-set';
import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { Host } from '../cluster/host.ts';
import type { Fault } from '../fault/fault.ts';
import type { Connection } from '../io/connection.ts';
import { ResponseHeads } from '../protocol/http1/decode.ts';
import type { AdoptingPool, Negotiator } from './auto-pool.ts';
import type { ConnectEvents, Connecting } from './connect.ts';
import { connectionFailed, connectionOver, openConnection } from './connection-ledger.ts';
import { Http1Client, type Http1ClientOptions, type Http1ClientOwner } from './http1-client.ts';
import type { UpstreamEvents, UpstreamHead } from './upstream-stream.ts';
import { WaitingQueue } from './waiting-queue.ts';

/** Responses: as much head as Envoy takes, and no fewer headers. */
const responseLimits = { maxHeaderBytes: 60 * 1024, maxHeaderCount: 100, allowHttp10: true };

const ownProtocol: readonly string[] = ['http/1.1'];

/** One per host; made by the router on first use. */
export class Http1Pool implements AdoptingPool, Http1ClientOwner, ConnectEvents {
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly header: Buffer | null;
  private readonly breakers: Breakers;
  private readonly options: Http1ClientOptions;
  private readonly free: Http1Client[] = [];
  private readonly all = new PlacedSet<Http1Client>();
  private readonly connecting: Set<Connecting> = new Set();
  private readonly waiting: WaitingQueue;
  private isDraining = false;
  negotiator: Negotiator | null = null;

  constructor(host: Host, clock: Clock, header: Buffer | null, breakers: Breakers) {
    this.host = host;
    this.clock = clock;
    this.header = header;
    this.breakers = breakers;
    const { cluster } = host;
    this.waiting = new WaitingQueue(cluster, breakers);
    this.options = {
      stats: cluster.stats,
      limits: responseLimits,
      heads: new ResponseHeads(),
      idleTimeoutMs: cluster.idleTimeoutMs,
      requestsMax: cluster.maxRequestsPerConnection || Number.POSITIVE_INFINITY,
      maxDurationMs: cluster.maxConnectDurationMs,
    };
  }

  get connections(): number {
    return this.all.size + this.connecting.size;
  }

  start(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): void {
    const client = this.free.pop();
    if (client !== undefined) {
      client.start(head, endStream, events);
      return;
    }
    if (!this.waiting.push(head, endStream, events)) return;
    if (this.connecting.size < this.waiting.length) this.open();
    if (this.connections === 0) this.waiting.rejectStranded();
  }

  private open(): void {
    const wish = {
      breakers: this.breakers,
      header: this.header,
      isFirst: this.connections === 0,
      alpnFallback: ownProtocol,
    };
    const connecting = openConnection(this.host, this.clock, this, wish);
    if (connecting !== null) this.connecting.add(connecting);
  }

  onConnected(connecting: Connecting, connection: Connection): void {
    this.connecting.delete(connecting);
    const pool = this.negotiator?.poolOf(connection) ?? this;
    pool.adopt(connection);
    if (pool !== this) this.waiting.moveTo(pool);
  }

  /** Takes over a connection that stands. */
  adopt(connection: Connection): void {
    const client = new Http1Client(connection, this, this.clock, this.options);
    this.all.add(client);
    this.host.onConnectResult(true);
    client.becomeFree();
    // One that waited is served all the same: nobody else would.
    if (this.isDraining) client.retire();
  }

  onConnectFailed(connecting: Connecting, reason: Fault, details: string): void {
    this.connecting.delete(connecting);
    connectionFailed(this.host, this.breakers, reason);
    this.host.onConnectFailed(reason);
    this.waiting.rejectAll(reason, details);
  }

  onClientFree(client: Http1Client): void {
    const next = this.waiting.shift();
    if (next === undefined) {
      if (this.isDraining) client.retire();
      else this.free.push(client);
      return;
    }
    client.start(next.head, next.endStream, next.events);
  }

  onClientClosed(client: Http1Client): void {
    if (!this.all.delete(client)) return;
    const at = this.free.lastIndexOf(client);
    if (at >= 0) this.free.splice(at, 1);
    connectionOver(this.host, this.breakers);
    if (this.waiting.length > this.connecting.size) this.open();
    if (this.connections === 0) this.waiting.rejectStranded();
  }

  cancel(events: UpstreamEvents): void {
    this.waiting.cancel(events);
  }

  drain(): void {
    this.isDraining = true;
    for (const client of this.free.splice(0)) client.retire();
    for (const client of this.all.all()) client.retire();
  }
}
