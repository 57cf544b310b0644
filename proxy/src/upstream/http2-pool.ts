// The HTTP/2 connections of one host: as few as the peer's stream limit allows, another one when all are full.

import type { Clock } from '@weft/lib/clock';
import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { Host } from '../cluster/host.ts';
import type { Fault } from '../fault/fault.ts';
import type { Connection } from '../io/connection.ts';
import { assumedStreams } from '../protocol/http2/peer-settings.ts';
import type { AdoptingPool, Negotiator } from './auto-pool.ts';
import type { ConnectEvents, Connecting } from './connect.ts';
import { connectionFailed, connectionOver, openConnection } from './connection-ledger.ts';
import { Http2Client, type Http2ClientOptions, type Http2ClientOwner } from './http2-client.ts';
import { compileHttp2Limits, compileHttp2Settings, compileKeepAlive } from './http2-options.ts';
import { Http2Stats } from './http2-stats.ts';
import type { UpstreamEvents, UpstreamHead } from './upstream-stream.ts';
import { WaitingQueue } from './waiting-queue.ts';

const ownProtocol: readonly string[] = ['h2'];

/** As much of a response head as HTTP/1 takes. */
const responseHeads = { maxHeaderListBytes: 60 * 1024, maxHeaderCount: 100 };

export class Http2Pool implements AdoptingPool, Http2ClientOwner, ConnectEvents {
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly header: Buffer | null;
  private readonly breakers: Breakers;
  private readonly options: Http2ClientOptions;
  private readonly clients: Http2Client[] = [];
  private readonly connecting: Set<Connecting> = new Set();
  private readonly waiting: WaitingQueue;
  private isDraining = false;
  negotiator: Negotiator | null = null;
  /** What the host said last; a new connection is not driven beyond it before it has spoken. */
  expectedStreams: number = assumedStreams;

  constructor(host: Host, clock: Clock, header: Buffer | null, breakers: Breakers) {
    this.host = host;
    this.clock = clock;
    this.header = header;
    this.breakers = breakers;
    const { cluster } = host;
    this.waiting = new WaitingQueue(cluster, breakers);
    this.options = {
      stats: cluster.stats,
      settings: compileHttp2Settings(cluster.config.protocol.http2Options),
      limits: compileHttp2Limits(cluster.config.protocol.http2Options, responseHeads),
      idleTimeoutMs: cluster.idleTimeoutMs,
      streamsMax: cluster.config.protocol.http2Options?.maxConcurrentStreams ?? Number.POSITIVE_INFINITY,
      requestsMax: cluster.maxRequestsPerConnection || Number.POSITIVE_INFINITY,
      maxDurationMs: cluster.maxConnectDurationMs,
      tally: new Http2Stats(cluster.scope, 'http2.'),
      keepAlive: compileKeepAlive(cluster.config.protocol.http2Options),
      random: cluster.random,
    };
  }

  get connections(): number {
    return this.clients.length + this.connecting.size;
  }

  start(head: UpstreamHead, endStream: boolean, events: UpstreamEvents): void {
    let heldUp: Http2Client | null = null;
    for (const client of this.clients) {
      if (!client.hasRoom) continue;
      if (!client.http2.isHeldUp) {
        client.start(head, endStream, events);
        return;
      }
      heldUp ??= client;
    }
    if (heldUp !== null && this.waiting.isFull) {
      heldUp.start(head, endStream, events);
      return;
    }
    if (!this.waiting.push(head, endStream, events)) return;
    this.open();
    // Where there is no other connection, one that is held up is better than none.
    if (this.connecting.size === 0) this.useRoom();
    if (this.connections === 0) this.waiting.rejectStranded();
  }

  private useRoom(): void {
    for (const client of [...this.clients]) this.serveBy(client);
  }

  // As many at a time as those that wait will need.
  private open(): void {
    while (this.connecting.size * this.streamsPerConnection < this.waiting.length) {
      const wish = {
        breakers: this.breakers,
        header: this.header,
        isFirst: this.connections === 0,
        alpnFallback: ownProtocol,
      };
      const connecting = openConnection(this.host, this.clock, this, wish);
      if (connecting === null) return;
      this.connecting.add(connecting);
    }
  }

  private get streamsPerConnection(): number {
    const { streamsMax, requestsMax } = this.options;
    return Math.max(1, Math.min(this.expectedStreams, streamsMax, requestsMax));
  }

  onConnected(connecting: Connecting, connection: Connection): void {
    this.connecting.delete(connecting);
    const pool = this.negotiator?.poolOf(connection) ?? this;
    pool.adopt(connection);
    if (pool !== this) this.waiting.moveTo(pool);
  }

  /** Takes over a connection that stands. */
  adopt(connection: Connection): void {
    this.host.onConnectResult(true);
    const client = new Http2Client(connection, this, this.clock, this.options);
    this.clients.push(client);
    this.onClientRoom(client);
    // Those that waited are served all the same: nobody else would.
    if (this.isDraining) client.retire();
  }

  onConnectFailed(connecting: Connecting, reason: Fault, details: string): void {
    this.connecting.delete(connecting);
    connectionFailed(this.host, this.breakers, reason);
    this.host.onConnectFailed(reason);
    this.useRoom();
    this.waiting.rejectAll(reason, details);
  }

  onClientRoom(client: Http2Client): void {
    // Where it is held up, those that wait are to go over the further connection that is on its way.
    if (this.connecting.size === 0 || !client.http2.isHeldUp) this.serveBy(client);
    if (this.waiting.length > 0) this.open();
  }

  private serveBy(client: Http2Client): void {
    while (client.hasRoom) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      client.start(next.head, next.endStream, next.events);
    }
  }

  onClientClosed(client: Http2Client): void {
    const at = this.clients.indexOf(client);
    if (at < 0) return;
    this.clients.splice(at, 1);
    connectionOver(this.host, this.breakers);
    if (this.waiting.length > 0) this.open();
    if (this.connections === 0) this.waiting.rejectStranded();
  }

  cancel(events: UpstreamEvents): void {
    if (this.clients.some((client) => client.cancel(events))) this.host.cluster.stats.upstreamRqCancelled.inc();
    else this.waiting.cancel(events);
  }

  drain(): void {
    this.isDraining = true;
    for (const client of [...this.clients]) client.retire();
  }
}
