// `ConnectionInfo` of a real socket: addresses are asked of the kernel once, when first needed. And of what comes through a tunnel.

import { isIPv6, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { JsonObject } from '@weft/api/xds/types';
import { noTlvs, type ProxyTlv } from '../protocol/proxy-protocol/header.ts';
import type { ConnectionInfo, Endpoint, ListenerView, PeerCertificate } from './connection-info.ts';

let lastId = 0;

/** The next process-wide connection number. */
export function nextConnectionId(): number {
  return ++lastId;
}

/** What does not depend on where the connection comes from. */
class KnownConnection {
  readonly id: number = nextConnectionId();
  originalDestination: string | null = null;
  transportProtocol: 'raw_buffer' | 'tls' = 'raw_buffer';
  serverName = '';
  alpn = '';
  peer: PeerCertificate | null = null;
  ownUriSans: readonly string[] = [];
  tlsVersion = '';
  tlsCipher = '';
  listener: ListenerView | null = null;
  tlvs: readonly ProxyTlv[] = noTlvs;
  metadata: JsonObject | null = null;

  setMetadata(namespace: string, key: string, value: string): void {
    const before = this.metadata?.[namespace];
    const kept = typeof before === 'object' && !Array.isArray(before) ? before : {};
    this.metadata = { ...this.metadata, [namespace]: { ...kept, [key]: value } };
  }
}

export class SocketInfo extends KnownConnection implements ConnectionInfo {
  private readonly socket: Socket;
  private remote: string | null = null;
  /** Our end of the socket. */
  private direct: Endpoint | null = null;
  private endings: (() => void)[] | null = null;
  /** Whom a header says that it carries. */
  private carriedFrom: Endpoint | null = null;
  /** Where it was going: before a redirection, or as a header says. */
  private restored: Endpoint | null = null;

  constructor(socket: Socket) {
    super();
    this.socket = socket;
  }

  get directRemoteAddress(): string {
    this.remote ??= plainAddress(this.socket.remoteAddress);
    return this.remote;
  }

  get directRemotePort(): number {
    return this.socket.remotePort ?? 0;
  }

  get remoteAddress(): string {
    return this.carriedFrom === null ? this.directRemoteAddress : this.carriedFrom.address;
  }

  get remotePort(): number {
    return this.carriedFrom === null ? this.directRemotePort : this.carriedFrom.port;
  }

  get localAddress(): string {
    return (this.restored ?? this.directLocal).address;
  }

  get localPort(): number {
    return (this.restored ?? this.directLocal).port;
  }

  get directLocalAddress(): string {
    return this.directLocal.address;
  }

  get directLocalPort(): number {
    return this.directLocal.port;
  }

  // A closed socket does not tell any more, so what it told is kept.
  private get directLocal(): Endpoint {
    if (this.direct !== null) return this.direct;
    const { localAddress, localPort = 0 } = this.socket;
    const direct = { address: plainAddress(localAddress), port: localPort };
    if (localAddress !== undefined) this.direct = direct;
    return direct;
  }

  keepAddresses(): void {
    void this.directRemotePort;
    void this.directLocal;
  }

  /** As Envoy, a redirected connection has its destination for a local address. */
  restore(destination: Endpoint): void {
    this.restored = destination;
    this.originalDestination = destinationText(destination);
  }

  carry(remote: Endpoint, local: Endpoint): void {
    this.carriedFrom = remote;
    this.restore(local);
  }

  whenOver(callback: () => void): void {
    if (this.endings === null) {
      const endings: (() => void)[] = [];
      this.endings = endings;
      this.socket.once('close', () => {
        for (const ending of endings) ending();
      });
    }
    this.endings.push(callback);
  }

  /** Notes what the handshake agreed on. */
  secured(socket: TLSSocket, peer: PeerCertificate | null, ownUriSans: readonly string[]): void {
    this.transportProtocol = 'tls';
    this.peer = peer;
    this.ownUriSans = ownUriSans;
    if (typeof socket.servername === 'string') this.serverName = socket.servername.toLowerCase();
    if (typeof socket.alpnProtocol === 'string') this.alpn = socket.alpnProtocol;
    this.tlsVersion = socket.getProtocol() ?? '';
    this.tlsCipher = socket.getCipher()?.name ?? '';
  }
}

/** A dual-stack socket shows IPv4 peers as `::ffff:a.b.c.d`; here they are plain. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function destinationText({ address, port }: Endpoint): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A connection that came through a CONNECT tunnel: the outer one's addresses, the tunnel's destination. */
export class TunnelInfo extends KnownConnection implements ConnectionInfo {
  private readonly outer: ConnectionInfo;
  readonly directRemoteAddress: string;
  readonly directRemotePort: number;
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;

  constructor(outer: ConnectionInfo, destination: string) {
    super();
    this.outer = outer;
    this.directRemoteAddress = outer.directRemoteAddress;
    this.directRemotePort = outer.directRemotePort;
    this.remoteAddress = outer.remoteAddress;
    this.remotePort = outer.remotePort;
    this.localAddress = outer.localAddress;
    this.localPort = outer.localPort;
    this.originalDestination = destination;
    this.peer = outer.peer;
    this.ownUriSans = outer.ownUriSans;
    this.tlvs = outer.tlvs;
    this.metadata = outer.metadata;
  }

  whenOver(callback: () => void): void {
    this.outer.whenOver(callback);
  }

  carry(remote: Endpoint, local: Endpoint): void {
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    this.localAddress = local.address;
    this.localPort = local.port;
    this.originalDestination = destinationText(local);
  }
}
