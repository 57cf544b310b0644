// How a listener gets its socket: one of this thread's own, or by agreement with the other threads of the process.

import { chmodSync } from 'node:fs';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { bindTransparent } from '../io/kernel/transparent-socket.ts';
import { systemPath } from '../io/unix-path.ts';
import { removeIfStale } from './stale-socket.ts';

/** Where a listener listens; null for those that own no socket (internal, or reached through another). */
export type ListenAddress = SocketListenAddress | PipeListenAddress | null;

export interface PipeListenAddress {
  readonly path: string;
  /** Who may connect, as permissions of the file; 0 leaves that to the process' umask. */
  readonly mode: number;
}

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

/** Binds and listens. `isClaimed`: the address is known to be nobody else's, and other threads of the process may have it too. */
export function listenOn(request: ListenRequest, events: ListenEvents, isClaimed = false): OpenSocket {
  const group = new ListenGroup(request, events);
  // One that is closed again by the same change never gets in the way of the next.
  process.nextTick(() => group.open(isClaimed));
  return group;
}

/** Elsewhere the system does not spread connections over sockets that share a port. */
const canSharePort = process.platform === 'linux';
/**
 * The event loop accepts one connection of a socket in each of its turns, so with a single one a client that opens a connection for each
 * request would wait for the turns of all others. More would gain a few per cent, and cost file descriptors.
 */
const socketsPerPort = 8;

/** The sockets of one address. */
class ListenGroup implements OpenSocket {
  private readonly request: ListenRequest;
  private readonly events: ListenEvents;
  private readonly servers: Server[] = [];
  private trial: OpenSocket | null = null;
  private isClosed = false;

  constructor(request: ListenRequest, events: ListenEvents) {
    this.request = request;
    this.events = events;
  }

  open(isClaimed: boolean): void {
    if (this.isClosed) return;
    const { address, isTransparent } = this.request;
    if ('path' in address || isTransparent || !canSharePort) this.openOne(isClaimed);
    else if (isClaimed || address.port === 0) this.openAll(address);
    else this.trial = probe(this.request, (error) => this.onProbed(address, error));
  }

  private openOne(isClaimed: boolean): void {
    const where = listenOptions(this.request, isClaimed);
    if (where instanceof Error) this.events.onFailed(where);
    else this.listenOnce(where, (error) => this.onRefused(where, error));
  }

  private listenOnce(where: ListenOptions, onFailed: (error: Error) => void): void {
    const onBound = (port: number): void => {
      const problem = this.restrict();
      if (problem === null) {
        this.events.onBound(port);
        return;
      }
      this.close();
      this.events.onFailed(problem);
    };
    this.listen(where, onBound, onFailed);
  }

  private restrict(): Error | null {
    const { address } = this.request;
    if (!('path' in address) || address.mode === 0) return null;
    try {
      chmodSync(address.path, address.mode);
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  private onRefused(where: ListenOptions, error: Error): void {
    const { address } = this.request;
    if (!('path' in address)) this.events.onFailed(error);
    else
      removeIfStale(address.path, error, (isRemoved) => {
        if (this.isClosed) return;
        if (isRemoved) this.listenOnce(where, (again) => this.events.onFailed(again));
        else this.events.onFailed(error);
      });
  }

  private onProbed(address: SocketListenAddress, error: Error | null): void {
    if (this.isClosed) return;
    if (error === null) this.openAll(address);
    else this.events.onFailed(error);
  }

  private openAll(address: SocketListenAddress): void {
    const shared = { ...address, backlog: this.request.backlog, reusePort: true };
    const onBound = (port: number): void => {
      this.events.onBound(port);
      if (this.isClosed) return;
      // One that cannot be had is not missed.
      for (let i = 1; i < socketsPerPort; i++) this.makeServer().listen({ ...shared, port });
    };
    // Where the system does not know how to share, one socket does it; any other reason comes up again.
    this.listen(shared, onBound, () => this.openOne(true));
  }

  private listen(where: ListenOptions, onBound: (port: number) => void, onFailed: (error: Error) => void): void {
    const server = this.makeServer();
    const onError = (error: Error): void => {
      if (!this.isClosed) onFailed(error);
    };
    server.once('error', onError);
    server.listen(where, () => {
      server.off('error', onError);
      const bound = server.address();
      if (!this.isClosed) onBound(typeof bound === 'object' && bound !== null ? bound.port : 0);
    });
  }

  private makeServer(): Server {
    const { events } = this;
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => events.onSocket(socket));
    server.once('listening', () => {
      if (this.isClosed) server.close();
    });
    // Running out of file descriptors must not end the process.
    server.on('error', (error) => {
      if (server.listening) events.onAcceptFailed?.(error);
    });
    this.servers.push(server);
    return server;
  }

  close(): void {
    this.isClosed = true;
    this.trial?.close();
    for (const server of this.servers) server.close();
  }
}

/** Binds without sharing: with sharing, a port that another program shares as well would seem free. Once closed it may not tell any more. */
export function probe({ address }: ListenRequest, done: (error: Error | null) => void): OpenSocket {
  const server = createServer((socket) => socket.destroy());
  // A free port is nobody's, and a Unix socket is bound once in any case.
  if ('path' in address || address.port === 0) {
    setImmediate(() => done(null));
    return server;
  }
  server.once('error', (error) => done(error));
  server.listen(address, () => server.close(() => done(null)));
  return server;
}

function listenOptions(
  { address, backlog, isTransparent }: ListenRequest,
  isShared: boolean,
): (ListenOptions & { readonly fd?: number }) | Error {
  if ('path' in address) return { path: systemPath(address.path), backlog };
  if (!isTransparent) return { ...address, backlog };
  const { host, port, ipv6Only } = address;
  const fd = bindTransparent({ address: host, port }, ipv6Only, isShared);
  return fd instanceof Error ? fd : { fd, backlog };
}
