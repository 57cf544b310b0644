// The HTTP/2 connections of one host: as few as the peer's stream limit allows, another one when all are full.

import type { Clock } from '@weft/lib/clock';
import type { Host } from '../cluster/host.ts';
import { type Fault, fault } from '../fault/fault.ts';
import type { Connection } from '../io/connection.ts';
import { type ConnectEvents, Connecting } from './connect.ts';
import { Http2Client, type Http2ClientOptions, type Http2ClientOwner } from './http2-client.ts';
import { compileHttp2Limits, compileHttp2Settings } from './http2-options.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamPool } from './upstream-stream.ts';

/** As much of a response head as HTTP/1 takes. */
const responseHeads = { maxHeaderListBytes: 60 * 1024, maxHeaderCount: 100 };

interface Waiting {
  readonly head: UpstreamHead;
  readonly endStream: boolean;
  readonly events: UpstreamEvents;
}

export class Http2Pool implements UpstreamPool, Http2ClientOwner, ConnectEvents {
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly options: Http2ClientOptions;
  private readonly clients: Http2Client[] = [];
  private connecting: Connecting | null = null;
  private readonly waiting: Waiting[] = [];
  private isDraining = false;

  constructor(host: Host, clock: Clock) {
    this.host = host;
    this.clock = clock;
    const { cluster } = host;
    this.options = {
      stats: cluster.stats,
      settings: compileHttp2Settings(cluster.config.protocol.http2Options),
      limits: compileHttp2Limits(cluster.config.protocol.http2Options, responseHeads),
      idleTimeoutMs: cluster.idleTimeoutMs,
      requestsMax: cluster.maxRequestsPerConnection || Number.POSITIVE_INFINITY,
      maxDurationMs: cluster.maxConnectDurationMs,
    };
  }

  get connections(): number {
    return this.clients.length + (this.connecting === null ? 0 : 1);
  }

  start(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): void {
    for (const client of this.clients) {
      if (!client.hasRoom) continue;
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
    this.open();
    if (this.connections === 0) this.rejectWaiting(fault.breaker_open, 'max_connections');
  }

  private open(): void {
    const { cluster, stats } = this.host;
    if (this.connecting !== null) return;
    if (!cluster.breakers.tryConnection()) {
      cluster.stats.upstreamCxOverflow.inc();
      return;
    }
    cluster.stats.upstreamCxTotal.inc();
    cluster.stats.upstreamCxActive.inc();
    stats.cxTotal++;
    stats.cxActive++;
    this.connecting = new Connecting(this.host, this.clock, this);
  }

  onConnected(_connecting: Connecting, connection: Connection): void {
    this.connecting = null;
    this.host.onConnectResult(true);
    const client = new Http2Client(connection, this, this.clock, this.options);
    this.clients.push(client);
    if (this.isDraining) client.retire();
    else this.onClientRoom(client);
  }

  onConnectFailed(_connecting: Connecting, reason: Fault, details: string): void {
    const { cluster } = this.host;
    this.connecting = null;
    cluster.stats.upstreamCxConnectFail.inc();
    if (reason === fault.connect_timeout) cluster.stats.upstreamCxConnectTimeout.inc();
    this.releaseConnection();
    this.host.onConnectResult(false);
    this.rejectWaiting(reason, details);
  }

  private rejectWaiting(reason: Fault, details: string): void {
    for (const { events } of this.waiting.splice(0)) {
      this.releasePending();
      if (reason !== fault.breaker_open) this.host.cluster.stats.upstreamRqPendingFailureEject.inc();
      events.onUpstreamFailed(reason, details);
    }
  }

  onClientRoom(client: Http2Client): void {
    while (client.hasRoom) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.releasePending();
      client.start(next.head, next.endStream, next.events);
    }
    if (this.waiting.length > 0) this.open();
  }

  onClientClosed(client: Http2Client): void {
    const at = this.clients.indexOf(client);
    if (at < 0) return;
    this.clients.splice(at, 1);
    this.releaseConnection();
    if (this.waiting.length > 0) this.open();
    if (this.connections === 0) this.rejectWaiting(fault.breaker_open, 'max_connections');
  }

  private releasePending(): void {
    const { breakers, stats } = this.host.cluster;
    breakers.releasePending();
    stats.upstreamRqPendingActive.dec();
  }

  private releaseConnection(): void {
    const { cluster, stats } = this.host;
    cluster.breakers.releaseConnection();
    cluster.stats.upstreamCxActive.dec();
    stats.cxActive--;
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
    for (const client of [...this.clients]) client.retire();
  }
}
