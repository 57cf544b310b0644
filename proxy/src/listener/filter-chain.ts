// One filter chain as it runs: TLS or none, filters that look, the filter that takes the connection.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Counter, Scope } from '@weft/lib/metrics';
import { Connection } from '../io/connection.ts';
import type { ConnectionInfo, PeerCertificate } from '../io/connection-info.ts';
import type { SocketInfo } from '../io/socket-info.ts';
import type { NetworkChain } from '../network-filter/filters.ts';
import type { DownstreamTls, HandshakeOwner } from '../security/downstream-tls.ts';

export class FilterChain {
  readonly name: string;
  readonly tls: DownstreamTls | null;
  readonly chain: NetworkChain;
  /** What it counts in. */
  readonly scopes: ReadonlySet<Scope>;
  /** What took its place; handshakes that were under way go on there. */
  successor: FilterChain | null = null;
  private readonly handshakeFailed: Counter;

  /** `scope` is that of its listener, `others` are those of its filters. */
  constructor(name: string, tls: DownstreamTls | null, chain: NetworkChain, scope: Scope, others: Iterable<Scope>) {
    this.name = name;
    this.tls = tls;
    this.chain = chain;
    this.scopes = new Set([scope, ...others]);
    this.handshakeFailed = scope.counter('ssl.connection_error');
  }

  get isReady(): boolean {
    return this.isReadyButSecrets && this.hasSecrets;
  }

  /** It has everything else; without its secrets it refuses every handshake. */
  get isReadyButSecrets(): boolean {
    return this.chain.terminal.isReady;
  }

  get hasSecrets(): boolean {
    return this.tls === null || this.tls.isReady;
  }

  /** Takes an accepted socket; bytes already read were put back with `unshift`. */
  takeSocket(socket: Socket, info: SocketInfo): void {
    if (this.tls !== null) {
      this.tls.accept(socket, new Handshake(this, info));
      return;
    }
    const connection = new Connection(socket);
    this.takeConnection(connection, info);
    connection.listenForData();
  }

  onSecure(socket: TLSSocket, peer: PeerCertificate | null, info: SocketInfo): void {
    info.secured(socket, peer, this.tls?.ownUriSans ?? []);
    const connection = new Connection(socket);
    this.takeConnection(connection, info);
    connection.listenForData();
  }

  onHandshakeFailed(): void {
    this.handshakeFailed.inc();
  }

  /** Takes a connection that is ready for its first byte. */
  takeConnection(connection: Connection, info: ConnectionInfo): void {
    if (this.successor !== null) {
      this.successor.takeConnection(connection, info);
      return;
    }
    if (this.admits(info)) {
      this.chain.terminal.take(connection, info);
      return;
    }
    connection.release();
    connection.destroy();
  }

  private admits(info: ConnectionInfo): boolean {
    for (const filter of this.chain.filters) if (filter.onConnection(info) !== null) return false;
    return true;
  }

  /** Hands over to the chain that replaces it; false when its connections are to drain instead. */
  succeedBy(next: FilterChain): boolean {
    if (!this.chain.terminal.succeedBy(next.chain.terminal, (info) => next.admits(info))) return false;
    this.successor = next;
    return true;
  }
}

/** Carries what is known of the socket through its handshake. */
class Handshake implements HandshakeOwner {
  private readonly chain: FilterChain;
  private readonly info: SocketInfo;

  constructor(chain: FilterChain, info: SocketInfo) {
    this.chain = chain;
    this.info = info;
  }

  onSecure(socket: TLSSocket, peer: PeerCertificate | null): void {
    this.chain.onSecure(socket, peer, this.info);
  }

  onHandshakeFailed(): void {
    this.chain.onHandshakeFailed();
  }
}
