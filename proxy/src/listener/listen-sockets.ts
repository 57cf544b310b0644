// How a listener gets its socket: one of this thread's own, or by agreement with the other threads of the process.

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { bindTransparent } from '../io/kernel/transparent-socket.ts';

/** Where a listener listens; null for those that own no socket (internal, or reached through another). */
export type ListenAddress = SocketListenAddress | { readonly path: string } | null;

export interface SocketListenAddress {
  readonly host: string;
  readonly port: number;
  /** Whether an IPv6 wildcard leaves IPv4 alone. */
  readonly ipv6Only: boolean;
}

/** What is to be listened on. */
export interface ListenRequest {
  readonly name: string;
  readonly address: Exclude<ListenAddress, null>;
  readonly backlog: number;
  /** Takes connections to any address. */
  readonly isTransparent: boolean;
}

/** Exactly one of the two is called, once, unless it is closed before. */
export interface ListenEvents {
  /** `port` is 0 for a Unix socket. */
  onBound(port: number): void;
  onFailed(error: Error): void;
  onSocket(socket: Socket): void;
  /** A connection could not be accepted, and goes on waiting. */
  onAcceptFailed?(error: Error): void;
}

export interface OpenSocket {
  /** Accepts no more. */
  close(): void;
}

export interface ListenSockets {
  /** Whether whoever gets a failure is the one to report it. */
  readonly reportsFailures: boolean;
  open(request: ListenRequest, events: ListenEvents): OpenSocket;
}

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Whether nobody can listen on both. */
export function overlaps(a: ListenAddress, b: ListenAddress): boolean {
  if (a === null || b === null) return false;
  if ('path' in a || 'path' in b) return 'path' in a && 'path' in b && a.path === b.path;
  if (a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || wildcards.has(a.host) || wildcards.has(b.host);
}

/** The sockets of a process with one worker. */
export const ownSockets: ListenSockets = {
  reportsFailures: true,
  open: (request, events) => listenOn(request, events),
};

/** Binds; `isShared` lets other threads of the process bind the same port. */
export function listenOn(request: ListenRequest, events: ListenEvents, isShared = false): OpenSocket {
  const where = listenOptions(request, isShared);
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => events.onSocket(socket));
  if (where instanceof Error) {
    events.onFailed(where);
    return server;
  }
  server.once('error', (error) => events.onFailed(error));
  server.listen(where, () => onListening(server, events));
  return server;
}

function onListening(server: Server, events: ListenEvents): void {
  const bound = server.address();
  server.removeAllListeners('error');
  // Running out of file descriptors must not end the process.
  server.on('error', (error) => events.onAcceptFailed?.(error));
  events.onBound(typeof bound === 'object' && bound !== null ? bound.port : 0);
}

function listenOptions(
  { address, backlog, isTransparent }: ListenRequest,
  isShared: boolean,
): (ListenOptions & { readonly fd?: number }) | Error {
  if ('path' in address) return { ...address, backlog };
  if (!isTransparent) return isShared ? { ...address, backlog, reusePort: true } : { ...address, backlog };
  const { host, port, ipv6Only } = address;
  const fd = bindTransparent({ address: host, port }, ipv6Only, isShared);
  return fd instanceof Error ? fd : { fd, backlog };
}
