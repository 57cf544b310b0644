// `ConnectionInfo` of a real socket: addresses are asked of the kernel once, when first needed.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ConnectionInfo, ListenerView, PeerCertificate } from './connection-info.ts';

let lastId = 0;

/** The next process-wide connection number. */
export function nextConnectionId(): number {
  return ++lastId;
}

export class SocketInfo implements ConnectionInfo {
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
  private readonly socket: Socket;
  private remote: string | null = null;
  private local: string | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  get remoteAddress(): string {
    this.remote ??= plainAddress(this.socket.remoteAddress);
    return this.remote;
  }

  get remotePort(): number {
    return this.socket.remotePort ?? 0;
  }

  get localAddress(): string {
    this.local ??= plainAddress(this.socket.localAddress);
    return this.local;
  }

  get localPort(): number {
    return this.socket.localPort ?? 0;
  }

  /** Notes what the handshake agreed on. */
  secured(socket: TLSSocket, peer: PeerCertificate | null, ownUriSans: readonly string[]): void {
    this.transportProtocol = 'tls';
    this.peer = peer;
    this.ownUriSans = ownUriSans;
    if (typeof socket.servername === 'string') this.serverName = socket.servername;
    if (typeof socket.alpnProtocol === 'string') this.alpn = socket.alpnProtocol;
    this.tlsVersion = socket.getProtocol() ?? '';
    this.tlsCipher = socket.getCipher()?.name ?? '';
  }
}

// A dual-stack socket shows IPv4 peers as `::ffff:a.b.c.d`.
function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** A connection that came through a CONNECT tunnel: the outer one's addresses, the tunnel's destination. */
export class TunnelInfo implements ConnectionInfo {
  readonly id: number = nextConnectionId();
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  originalDestination: string | null;
  transportProtocol: 'raw_buffer' | 'tls' = 'raw_buffer';
  serverName = '';
  alpn = '';
  peer: PeerCertificate | null;
  ownUriSans: readonly string[];
  tlsVersion = '';
  tlsCipher = '';
  listener: ListenerView | null = null;

  constructor(outer: ConnectionInfo, destination: string) {
    this.remoteAddress = outer.remoteAddress;
    this.remotePort = outer.remotePort;
    this.localAddress = outer.localAddress;
    this.localPort = outer.localPort;
    this.originalDestination = destination;
    this.peer = outer.peer;
    this.ownUriSans = outer.ownUriSans;
  }
}
