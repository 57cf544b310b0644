// Opens one connection to a host: TCP or TLS, bounded in time, failures as values.

import net from 'node:net';
import type { Clock, Timer } from '@weft/lib/clock';
import { messageOf } from '@weft/lib/error';
import type { Host } from '../cluster/host.ts';
import type { SourceAddress } from '../cluster/source-address.ts';
import { type Fault, fault } from '../fault/fault.ts';
import { Connection, type ConnectionOwner } from '../io/connection.ts';
import { isShortage, shortageDetails } from '../io/descriptor-watch.ts';
import { sharedRead } from '../io/shared-read.ts';
import { systemPath } from '../io/unix-path.ts';
import { ConnectionRecord } from './connection-record.ts';

/** Who asked for the connection. Exactly one of the two is called, once. */
export interface ConnectEvents {
  onConnected(connecting: Connecting, connection: Connection): void;
  onConnectFailed(connecting: Connecting, fault: Fault, details: string): void;
}

/** A connection attempt that can be given up. */
export class Connecting implements ConnectionOwner {
  private readonly events: ConnectEvents;
  private readonly host: Host;
  private readonly clock: Clock;
  private readonly startMs: number;
  private readonly header: Buffer | null;
  private readonly alpnFallback: readonly string[];
  private connection: Connection | null = null;
  private timer: Timer | null = null;
  private isSettled = false;
  private isTls = false;
  private isTcpConnected = false;

  /** `header` goes out first; `alpnFallback` is what TLS offers where the cluster does not say. */
  constructor(host: Host, clock: Clock, events: ConnectEvents, header: Buffer | null, alpnFallback: readonly string[]) {
    this.host = host;
    this.clock = clock;
    this.startMs = clock.now();
    this.events = events;
    this.header = header;
    this.alpnFallback = alpnFallback;
    this.timer = clock.start(host.cluster.connectTimeoutMs, onTimeout, this as Connecting);
    // It has no address; its name is none to ask the system for.
    if (host.internalListener !== null) setImmediate(onInternal, this as Connecting);
    else if (host.tls === null) this.openTcp();
    else this.openTls();
  }

  failInternal(): void {
    const name = this.host.internalListener;
    this.fail(fault.connect_failed, `the internal listener ${name} takes CONNECT requests of an HTTP route only`);
  }

  private openTcp(): void {
    const { host } = this;
    const onread = sharedRead((buffer, offset, length) => this.connection?.deliver(buffer, offset, length));
    const socket = net.connect({
      ...target(host),
      noDelay: true,
      allowHalfOpen: true,
      onread,
    });
    this.connection = new Connection(socket, this);
    socket.once('connect', () => this.onReady());
  }

  private openTls(): void {
    const { host, header, alpnFallback } = this;
    const { tls } = host;
    if (tls === null) return;
    this.isTls = true;
    const names = { ...host.tlsNames, preamble: header ?? undefined, allowHalfOpen: true, alpnFallback };
    const socket = tls.connect(target(host), names);
    socket.setNoDelay(true);
    socket.once('connect', () => {
      this.isTcpConnected = true;
    });
    this.connection = new Connection(socket, this);
    this.connection.listenForData();
    // Every check of the peer is done by then; a refusal is an `error` in place of it.
    socket.once('secureConnect', () => this.onReady());
  }

  private onReady(): void {
    if (this.isSettled || this.connection === null) return;
    this.settle();
    this.connection.release();
    const { stats } = this.host.cluster;
    stats.upstreamCxConnectMs.record(this.clock.now() - this.startMs);
    new ConnectionRecord(this.connection, stats, this.clock);
    if (this.header !== null && !this.isTls) this.connection.write(this.header, 0, this.header.length);
    this.events.onConnected(this, this.connection);
  }

  private settle(): void {
    this.isSettled = true;
    this.timer?.stop();
    this.timer = null;
  }

  /** Fails the attempt, or gives it up silently when nobody waits any more. */
  fail(reason: Fault, details: string): void {
    if (this.isSettled) return;
    this.settle();
    this.connection?.release();
    this.connection?.destroy();
    this.events.onConnectFailed(this, reason, details);
  }

  /** Nobody waits any more. */
  cancel(): void {
    if (this.isSettled) return;
    this.settle();
    this.connection?.release();
    this.connection?.destroy();
  }

  onBytes(): void {
    this.fail(fault.upstream_protocol_error, 'bytes before the connection was ready');
  }

  onFin(): void {
    this.fail(
      this.isTls && this.isTcpConnected ? fault.tls_failed : fault.connect_failed,
      'the peer closed while connecting',
    );
  }

  onClose(error: Error | null): void {
    if (isShortage(error)) {
      this.host.cluster.descriptors?.onShortage();
      this.fail(fault.overload, shortageDetails);
      return;
    }
    const details = error === null ? 'the connection was closed' : messageOf(error);
    this.fail(this.isTls && this.isTcpConnected ? fault.tls_failed : fault.connect_failed, details);
  }

  onDrain(): void {}
}

interface TcpTarget extends Partial<SourceAddress> {
  readonly host: string;
  readonly port: number;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelay: number;
}

function target(host: Host): TcpTarget | { path: string } {
  if (host.isPipe) return { path: systemPath(host.address) };
  const { keepAlive } = host.cluster;
  const probes = { keepAlive: keepAlive !== null, keepAliveInitialDelay: keepAlive?.idleMs ?? 0 };
  return { host: host.address, port: host.port, ...probes, ...host.cluster.sourceFor(host.address) };
}

function onTimeout(connecting: Connecting): void {
  connecting.fail(fault.connect_timeout, 'connect_timeout');
}

function onInternal(connecting: Connecting): void {
  connecting.failInternal();
}
