// The HTTP/1.1 connections of one host: the most recently used free one first, a new one while the limits allow, else a bounded wait.

import type { Clock } from '@weft/lib/clock';
import type { Host } from '../cluster/host.ts';
import { type Fault, fault } from '../fault/fault.ts';
import type { Connection } from '../io/connection.ts';
import { type ConnectEvents, Connecting } from './connect.ts';
import { Http1Client, type Http1ClientOptions, type Http1ClientOwner } from './http1-client.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamPool } from './upstream-stream.ts';

/** Responses: as much head as Envoy takes, and no fewer headers. */
const responseLimits = { maxHeaderBytes: 60 * 1024, maxHeaderCount: 100, allowHttp10: true };

/** A start that waits for a connection. */
interface Waiting {
  readonly head: UpstreamHead;
  readonly endStream: boolean;
  readonly events: UpstreamEvents;
}

/** One per host; made by the router on first use. */
export class Http1Pool implements UpstreamPool, Http1ClientOwner, ConnectEvents {
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly options: Http1ClientOptions;
  private readonly free: Http1Client[] = [];
  private readonly all: Set<Http1Client> = new Set();
  private readonly connecting: Set<Connecting> = new Set();
  private readonly waiting: Waiting[] = [];
  private isDraining = false;

  constructor(host: Host, clock: Clock) {
    this.host = host;
    this.clock = clock;
    const { cluster } = host;
    this.options = {
      stats: cluster.stats,
      limits: responseLimits,
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
    this.wait({ head, endStream, events });
  }

  private wait(waiting: Waiting): void {
    const { breakers, stats } = this.host.cluster;
    if (!breakers.tryPending()) {
      stats.upstreamRqPendingOverflow.inc();
      waiting.events.onUpstreamFailed(fault.breaker_open, 'max_pending_requests');
      return;
    }
    stats.upstreamRqPendingTotal.inc();
    stats.upstreamRqPendingActive.inc();
    this.waiting.push(waiting);
    if (this.connecting.size < this.waiting.length) this.open();
    // Nothing is being opened and nothing will become free: no one would ever wake it.
    if (this.connections === 0) this.rejectWaiting(fault.breaker_open, 'max_connections');
  }

  private open(): void {
    const { cluster } = this.host;
    if (!cluster.breakers.tryConnection()) {
      cluster.stats.upstreamCxOverflow.inc();
      return;
    }
    cluster.stats.upstreamCxTotal.inc();
    cluster.stats.upstreamCxActive.inc();
    this.host.stats.cxTotal++;
    this.host.stats.cxActive++;
    this.connecting.add(new Connecting(this.host, this.clock, this));
  }

  onConnected(connecting: Connecting, connection: Connection): void {
    this.connecting.delete(connecting);
    const client = new Http1Client(connection, this, this.clock, this.options);
    this.all.add(client);
    this.host.onConnectResult(true);
    if (this.isDraining) client.retire();
    if (!client.isClosed) this.onClientFree(client);
  }

  onConnectFailed(connecting: Connecting, reason: Fault, details: string): void {
    this.connecting.delete(connecting);
    const { cluster } = this.host;
    cluster.stats.upstreamCxConnectFail.inc();
    if (reason === fault.connect_timeout) cluster.stats.upstreamCxConnectTimeout.inc();
    this.releaseConnection();
    this.host.onConnectResult(false);
    this.rejectWaiting(reason, details);
  }

  // As Envoy: when connecting fails everything that waits for this host fails, to be retried elsewhere.
  private rejectWaiting(reason: Fault, details: string): void {
    const rejected = this.waiting.splice(0);
    for (const { events } of rejected) {
      this.releasePending();
      if (reason !== fault.breaker_open) this.host.cluster.stats.upstreamRqPendingFailureEject.inc();
      events.onUpstreamFailed(reason, details);
    }
  }

  private releasePending(): void {
    const { breakers, stats } = this.host.cluster;
    breakers.releasePending();
    stats.upstreamRqPendingActive.dec();
  }

  private releaseConnection(): void {
    const { cluster } = this.host;
    cluster.breakers.releaseConnection();
    cluster.stats.upstreamCxActive.dec();
    this.host.stats.cxActive--;
  }

  onClientFree(client: Http1Client): void {
    const next = this.waiting.shift();
    if (next === undefined) {
      if (this.isDraining) client.retire();
      else this.free.push(client);
      return;
    }
    this.releasePending();
    client.start(next.head, next.endStream, next.events);
  }

  onClientClosed(client: Http1Client): void {
    if (!this.all.delete(client)) return;
    const at = this.free.lastIndexOf(client);
    if (at >= 0) this.free.splice(at, 1);
    this.releaseConnection();
    if (this.waiting.length > this.connecting.size) this.open();
    if (this.connections === 0) this.rejectWaiting(fault.breaker_open, 'max_connections');
  }

  cancel(events: UpstreamEvents): void {
    const at = this.waiting.findIndex((waiting) => waiting.events === events);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    this.host.cluster.stats.upstreamRqCancelled.inc();
    this.releasePending();
  }

  drain(): void {
    this.isDraining = true;
    for (const client of this.free.splice(0)) client.retire();
    for (const client of this.all) client.retire();
  }
}
