// How a listener gets its socket: one of this thread's own, or by agreement with the other threads of the process.

import { chmodSync } from 'node:fs';
import { BoundSocket, createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { getSystemErrorMessage } from 'node:util';
import { messageOf } from '@weft/lib/error';
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

/** Elsewhere the system does not spread connections over sockets that share a port. */
const canSharePort = process.platform === 'linux';
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Whether a connection could be meant for either. */
export function overlaps(a: ListenAddress, b: ListenAddress): boolean {
  if (a === null || b === null) return false;
  if ('path' in a || 'path' in b) return 'path' in a && 'path' in b && a.path === b.path;
  if (a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || wildcards.has(a.host) || wildcards.has(b.host);
}

/** Whether only one of them could get a connection: the system gives one for `127.0.0.1` to that rather than to `0.0.0.0`. */
export function collides(a: ListenAddress, b: ListenAddress): boolean {
  if (!overlaps(a, b)) return false;
  return !canSharePort || a === null || b === null || 'path' in a || 'path' in b || a.host === b.host;
}

/** The sockets of a process with one worker. */
class OwnSockets implements ListenSockets {
  readonly reportsFailures = true;
  private readonly groups: Set<ListenGroup> = new Set();
  /** Are opened at the end of the change at hand. */
  private readonly coming: Set<ListenGroup> = new Set();

  open(request: ListenRequest, events: ListenEvents): OpenSocket {
    const onFailed = (error: Error): void => {
      this.groups.delete(group);
      events.onFailed(error);
    };
    const group = new ListenGroup(request, { ...events, onFailed });
    this.groups.add(group);
    this.coming.add(group);
    process.nextTick(() => {
      this.coming.delete(group);
      group.open(this.isOurs(request));
    });
    return { close: () => this.close(group) };
  }

  private close(group: ListenGroup): void {
    this.groups.delete(group);
    this.coming.delete(group);
    const heir = [...this.coming].find((one) => one.canSucceed(group));
    if (heir === undefined) group.close();
    else heir.succeed(group);
  }

  /** Then the other one is no other program, and both can be had. */
  private isOurs({ address }: ListenRequest): boolean {
    return [...this.groups].some((one) => {
      const other = one.request.address;
      return one.isListening && overlaps(other, address) && !collides(other, address);
    });
  }
}

export const ownSockets: ListenSockets = new OwnSockets();

/** Binds and listens. `isClaimed`: the address is known to be nobody else's, and other threads of the process may have it too. */
export function listenOn(request: ListenRequest, events: ListenEvents, isClaimed = false): OpenSocket {
  const group = new ListenGroup(request, events);
  // One that is closed again by the same change never gets in the way of the next.
  process.nextTick(() => group.open(isClaimed));
  return group;
}

/**
 * The event loop accepts one connection of a socket in each of its turns, so with a single one a client that opens a connection for each
 * request would wait for the turns of all others. More would gain a few per cent, and cost file descriptors.
 */
const socketsPerPort = 8;

/** The sockets of one address. */
class ListenGroup implements OpenSocket {
  readonly request: ListenRequest;
  private readonly events: ListenEvents;
  private servers: Server[] = [];
  /** Whose the connections of these sockets are now. */
  private user: { events: ListenEvents; isGone: boolean };
  private isClosed = false;

  constructor(request: ListenRequest, events: ListenEvents) {
    this.request = request;
    this.events = events;
    this.user = { events, isGone: false };
  }

  /** Whether it may have the sockets of one that is about to close. */
  canSucceed(other: ListenGroup): boolean {
    return this.servers.length === 0 && other.isListening && placeOf(this.request) === placeOf(other.request);
  }

  /** Takes the sockets over, in place of opening its own: connections that the system holds for them are not lost. */
  succeed(other: ListenGroup): void {
    this.servers = other.servers;
    this.user = other.user;
    this.user.events = this.events;
    other.servers = [];
    other.isClosed = true;
  }

  open(isClaimed: boolean): void {
    if (this.isClosed) return;
    const { address, isTransparent } = this.request;
    const [first] = this.servers;
    if (first !== undefined) this.events.onBound(portOf(first));
    else if ('path' in address || isTransparent || !canSharePort) this.openOne(isClaimed);
    else this.openShared(address, isClaimed);
  }

  // With sharing, a port that another program shares as well would seem free.
  private openShared(address: SocketListenAddress, isClaimed: boolean): void {
    const taken = isClaimed ? null : bindError(address);
    if (taken === null) this.openAll(address);
    else this.events.onFailed(taken);
  }

  get isListening(): boolean {
    return this.servers.some((server) => server.listening);
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
      if (!this.isClosed) onBound(portOf(server));
    });
  }

  private makeServer(): Server {
    const { user } = this;
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => user.events.onSocket(socket));
    server.once('listening', () => {
      if (user.isGone) server.close();
    });
    // Running out of file descriptors must not end the process.
    server.on('error', (error) => {
      if (server.listening) user.events.onAcceptFailed?.(error);
    });
    this.servers.push(server);
    return server;
  }

  close(): void {
    this.isClosed = true;
    this.user.isGone = true;
    for (const server of this.servers) server.close();
  }
}

/** 0 for a Unix socket. */
function portOf(server: Server): number {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

/** Two requests with the same can have each other's sockets. */
export function placeOf({ address, isTransparent }: ListenRequest): string {
  return JSON.stringify([address, isTransparent]);
}

/** Why nobody could bind there without sharing, or null. Nothing listens meanwhile: nobody connects to what is gone in a moment. */
export function bindError(address: Exclude<ListenAddress, null>): Error | null {
  // A free port is nobody's, and a Unix socket is bound once in any case.
  if ('path' in address || address.port === 0) return null;
  try {
    new BoundSocket(address).close();
    return null;
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    const words = errno === undefined ? messageOf(error) : getSystemErrorMessage(errno);
    const message = `listen ${code}: ${words} ${address.host}:${address.port}`;
    return Object.assign(new Error(message, { cause: error }), { code });
  }
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
