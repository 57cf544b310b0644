// CONNECT that ends at this proxy (Envoy: connect_config): each tunnel gets a bare connection of its own to the host.

import type { Clock } from '@weft/lib/clock';
import { Headers } from '@weft/lib/header';
import type { Breakers } from '../cluster/breaker/breakers.ts';
import type { Host } from '../cluster/host.ts';
import { type Fault, fault } from '../fault/fault.ts';
import type { Connection, ConnectionOwner } from '../io/connection.ts';
import type { ConnectEvents, Connecting } from './connect.ts';
import { connectionFailed, connectionOver, openConnection } from './connection-ledger.ts';
import type { UpstreamEvents, UpstreamHead, UpstreamPool, UpstreamStream } from './upstream-stream.ts';

const noBytes = Buffer.alloc(0);

/** Nothing is pooled here; it counts and bounds. */
export class TunnelPool implements UpstreamPool, ConnectEvents {
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly header: Buffer | null;
  private readonly breakers: Breakers;
  private readonly waiting: Map<Connecting, UpstreamEvents> = new Map();
  private open = 0;

  constructor(host: Host, clock: Clock, header: Buffer | null, breakers: Breakers) {
    this.host = host;
    this.clock = clock;
    this.header = header;
    this.breakers = breakers;
  }

  get connections(): number {
    return this.open + this.waiting.size;
  }

  start(_head: UpstreamHead, _endStream: boolean, events: UpstreamEvents): void {
    const connecting = openConnection(this.host, this.clock, this, {
      breakers: this.breakers,
      header: this.header,
      isFirst: this.connections === 0,
      alpnFallback: [],
    });
    if (connecting === null) events.onUpstreamFailed(fault.breaker_open, 'max_connections');
    else this.waiting.set(connecting, events);
  }

  onConnected(connecting: Connecting, connection: Connection): void {
    const events = this.waiting.get(connecting);
    this.waiting.delete(connecting);
    this.host.onTcpConnectResult(true);
    if (events === undefined) {
      connection.destroy();
      connectionOver(this.host, this.breakers);
      return;
    }
    this.open++;
    new Tunnel(connection, events, () => {
      this.open--;
      connectionOver(this.host, this.breakers);
    }).begin();
  }

  onConnectFailed(connecting: Connecting, reason: Fault, details: string): void {
    const events = this.waiting.get(connecting);
    this.waiting.delete(connecting);
    connectionFailed(this.host, this.breakers, reason);
    this.host.onConnectFailed(reason);
    events?.onUpstreamFailed(reason, details);
  }

  cancel(events: UpstreamEvents): void {
    for (const [connecting, waiting] of this.waiting) {
      if (waiting !== events) continue;
      this.waiting.delete(connecting);
      connecting.cancel();
      connectionOver(this.host, this.breakers);
      return;
    }
  }

  /** A tunnel belongs to its two ends; it outlives the configuration of its host. */
  drain(): void {}
}

/** One tunnel's upstream half. */
class Tunnel implements ConnectionOwner, UpstreamStream {
  private readonly connection: Connection;
  private readonly onGone: () => void;
  private events: UpstreamEvents | null;
  private isGone = false;
  private isRequestEnded = false;
  private isResponseEnded = false;

  constructor(connection: Connection, events: UpstreamEvents, onGone: () => void) {
    this.connection = connection;
    this.events = events;
    this.onGone = onGone;
    connection.owner = this;
  }

  begin(): void {
    this.events?.onUpstreamReady(this);
    this.events?.onResponseHead(200, Headers.of(), false);
  }

  get isCongested(): boolean {
    return this.connection.isCongested;
  }

  get localAddress(): string {
    return this.connection.localAddress;
  }

  sendData(buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    if (length > 0) this.connection.write(buffer, offset, length);
    if (endStream) this.endRequest();
  }

  sendTrailers(): void {
    this.endRequest();
  }

  private endRequest(): void {
    this.isRequestEnded = true;
    this.connection.end();
  }

  pauseResponse(): void {
    this.connection.pause();
  }

  resumeResponse(): void {
    this.connection.resume();
  }

  abandon(): void {
    this.events = null;
    this.connection.release();
    // Where both have said their last, the last of ours may still be on its way.
    if (this.isRequestEnded && this.isResponseEnded) this.connection.finish();
    else {
      this.connection.flush();
      // RFC 9113 §8.5: an end in good order would say that all has come.
      if (this.isRequestEnded) this.connection.destroy();
      else this.connection.reset();
    }
    this.gone();
  }

  onBytes(buffer: Buffer, offset: number, length: number): void {
    this.events?.onResponseData(buffer, offset, length, false);
  }

  onFin(): void {
    this.isResponseEnded = true;
    this.events?.onResponseData(noBytes, 0, 0, true);
  }

  onClose(error: Error | null): void {
    const { events } = this;
    this.events = null;
    this.gone();
    events?.onUpstreamFailed(fault.upstream_closed, error === null ? 'the connection was closed' : error.message);
  }

  onDrain(): void {
    this.events?.onUpstreamDrain();
  }

  private gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.onGone();
  }
}
