// A listener that is up: accepts, inspects, chooses the filter chain. Its chains are swapped under it when configuration changes.

import type { Socket } from 'node:net';
import type { Clock, Timer } from '@weft/lib/clock';
import type { Connection, ConnectionOwner } from '../io/connection.ts';
import type { ConnectionInfo, ListenerOrigins, ListenerView } from '../io/connection-info.ts';
import { type DescriptorWatch, isShortage } from '../io/descriptor-watch.ts';
import { SocketInfo } from '../io/socket-info.ts';
import { matchChain } from './chain-match.ts';
import type { CompiledListener } from './compile-listener.ts';
import type { ListenerLimit } from './connection-limits.ts';
import type { FilterChain } from './filter-chain.ts';
import { FirstBytes } from './first-bytes.ts';
import { type Inspected, notInspected } from './inspection.ts';
import type { ListenSockets, OpenSocket } from './listen-sockets.ts';
import { ListenerStats } from './listener-stats.ts';
import type { ListenerDirectory, Redirection } from './redirection.ts';

export class Listener implements ListenerView {
  readonly name: string;
  current: CompiledListener;
  private readonly clock: Clock;
  private readonly directory: ListenerDirectory<Listener>;
  private readonly sockets: ListenSockets;
  private readonly descriptors: DescriptorWatch | null;
  private socket: OpenSocket | null = null;
  private stats: ListenerStats;
  /** The one chain of a listener that need not look: null when it must. */
  private only: FilterChain | null = null;
  private boundPort = 0;
  private hasAddress = false;

  constructor(
    compiled: CompiledListener,
    clock: Clock,
    directory: ListenerDirectory<Listener>,
    sockets: ListenSockets,
    descriptors: DescriptorWatch | null,
  ) {
    this.name = compiled.name;
    this.current = compiled;
    this.clock = clock;
    this.directory = directory;
    this.sockets = sockets;
    this.descriptors = descriptors;
    this.stats = new ListenerStats(compiled.scope);
    this.update(compiled);
  }

  /** The port it is bound to, 0 before that. */
  get port(): number {
    return this.boundPort;
  }

  /** Whether it has its address, or needs none of its own. */
  get isBound(): boolean {
    return this.hasAddress || this.current.address === null;
  }

  get origins(): ListenerOrigins {
    return this.current.origins;
  }

  /** New connections go by this version from now on. */
  update(compiled: CompiledListener): void {
    // Those of the version before are forgotten in time where it had others.
    if (compiled.scope !== this.current.scope) this.stats = new ListenerStats(compiled.scope);
    this.current = compiled;
    const { chains, matchers, fallback, inspection } = compiled;
    const isPlain = inspection === null && chains.length === 1 && matchers[0]?.criteria.every((one) => one === null);
    this.only = isPlain ? (chains[0] ?? null) : chains.length === 0 && inspection === null ? fallback : null;
  }

  /** Binds; `done` gets null, or why it could not. */
  open(done: (error: Error | null) => void): void {
    const { name, address, backlog, isTransparent } = this.current;
    if (address === null) {
      done(null);
      return;
    }
    this.socket = this.sockets.open(
      { name, address, backlog, isTransparent },
      {
        onBound: (port) => {
          this.boundPort = port;
          this.hasAddress = true;
          done(null);
        },
        onFailed: (error) => {
          this.socket = null;
          done(error);
        },
        onSocket: (socket) => this.onSocket(socket),
        onAcceptFailed: (error) => {
          if (isShortage(error)) this.descriptors?.onShortage();
        },
      },
    );
  }

  /** Accepts no more. */
  close(): void {
    this.socket?.close();
    this.socket = null;
  }

  private onSocket(socket: Socket): void {
    this.descriptors?.onAccepted(socket);
    const info = new SocketInfo(socket);
    const { redirection } = this.current;
    if (redirection === null) this.takeSocket(socket, info);
    else this.takeRedirected(socket, info, redirection);
  }

  /**
   * The listener of the connection's destination has it, as Envoy; this one when there is none. A destination whose listener takes
   * redirected connections itself is none: they would come back without end.
   */
  private takeRedirected(socket: Socket, info: SocketInfo, redirection: Redirection): void {
    const destination = redirection.read(socket, info, this.boundPort);
    const other = destination !== null && redirection.handsOff ? this.directory.find(destination) : null;
    const isCircle = other !== null && other.current.redirection !== null;
    if (destination !== null && !isCircle) info.restore(destination);
    (other === null || isCircle ? this : other).takeSocket(socket, info);
  }

  private takeSocket(socket: Socket, info: SocketInfo): void {
    const { stats } = this;
    const { limit } = this.current;
    if (limit !== null && !this.admit(limit, socket)) return;
    info.listener = this;
    stats.cxTotal.value++;
    stats.cxActive.value++;
    socket.once('close', () => {
      stats.cxActive.value--;
      limit?.give();
    });
    if (this.only !== null) {
      this.only.takeSocket(socket, info);
      return;
    }
    if (this.current.inspection === null) {
      this.dispatchSocket(socket, info, notInspected);
      return;
    }
    new SocketInspection(this, socket, info).start(this.clock);
  }

  private admit(limit: ListenerLimit, socket: Socket): boolean {
    const reached = limit.take();
    if (reached === null) return true;
    if (reached === 'own') this.stats.overflow.inc();
    else this.stats.globalOverflow.inc();
    socket.destroy();
    return false;
  }

  /** The chain for a connection, counted when there is none. */
  choose(info: ConnectionInfo, seen: Inspected): FilterChain | null {
    const { matchers, chains, fallback } = this.current;
    const destination = splitDestination(info);
    const index = matchChain(matchers, { info, ...seen, ...destination });
    const chain = index >= 0 ? (chains[index] ?? null) : fallback;
    if (chain === null) this.stats.noChain.inc();
    return chain;
  }

  dispatchSocket(socket: Socket, info: SocketInfo, seen: Inspected): void {
    info.serverName = seen.serverName;
    const chain = this.choose(info, seen);
    if (chain === null) socket.destroy();
    else chain.takeSocket(socket, info);
  }

  onInspectionTimeout(): boolean {
    this.stats.inspectionTimeout.inc();
    return this.current.inspection?.continuesOnTimeout ?? false;
  }

  /** Takes a connection that came through a tunnel; `rest` was read before. */
  takeTunnel(connection: Connection, info: ConnectionInfo, rest: Buffer): void {
    this.stats.cxTotal.value++;
    info.listener = this;
    if (this.only !== null || this.current.inspection === null) {
      const chain = this.only ?? this.choose(info, notInspected);
      handTunnel(connection, info, chain, rest);
      return;
    }
    new TunnelInspection(this, connection, info).start(this.clock, rest);
  }
}

function handTunnel(connection: Connection, info: ConnectionInfo, chain: FilterChain | null, rest: Buffer): void {
  if (chain === null) {
    connection.release();
    connection.destroy();
    return;
  }
  chain.takeConnection(connection, info);
  if (rest.length > 0 && !connection.isClosed) connection.deliver(rest, 0, rest.length);
}

function splitDestination(info: ConnectionInfo): { destinationAddress: string; destinationPort: number } {
  const original = info.originalDestination;
  const colon = original === null ? -1 : original.lastIndexOf(':');
  if (original === null || colon < 0) return { destinationAddress: info.localAddress, destinationPort: info.localPort };
  return {
    destinationAddress: original.slice(0, colon).replace(/^\[|\]$/g, ''),
    destinationPort: Number(original.slice(colon + 1)),
  };
}

/** Collects the first bytes of a socket until they tell what it speaks, then puts them back. */
class SocketInspection {
  private readonly listener: Listener;
  private readonly socket: Socket;
  private readonly info: SocketInfo;
  private readonly first: FirstBytes;
  private timer: Timer | null = null;
  private isOver = false;
  private readonly onData = (chunk: Buffer): void => this.feed(chunk);
  private readonly onGone = (): void => this.stop();
  private readonly onError = (): void => {};

  constructor(listener: Listener, socket: Socket, info: SocketInfo) {
    this.listener = listener;
    this.socket = socket;
    this.info = info;
    this.first = new FirstBytes(info);
  }

  start(clock: Clock): void {
    const timeoutMs = this.listener.current.inspection?.timeoutMs ?? 0;
    if (timeoutMs > 0) this.timer = clock.start(timeoutMs, onInspectionTimer, this as SocketInspection);
    this.socket.on('data', this.onData);
    this.socket.on('error', this.onError);
    this.socket.once('end', this.onGone);
    this.socket.once('close', this.onGone);
  }

  private feed(chunk: Buffer): void {
    const seen = this.first.feed(chunk, this.listener.current.inspection);
    if (seen === 'more') return;
    if (seen === 'refused') this.refuse();
    else this.finish(seen);
  }

  private finish(seen: Inspected): void {
    this.stop();
    const { socket } = this;
    socket.pause();
    if (this.first.bytes.length > 0) socket.unshift(this.first.bytes);
    this.listener.dispatchSocket(socket, this.info, seen);
  }

  private stop(): void {
    this.isOver = true;
    this.timer?.stop();
    this.socket.off('data', this.onData);
    this.socket.off('end', this.onGone);
    this.socket.off('close', this.onGone);
    if (this.socket.readableEnded) this.socket.destroy();
  }

  onTimeout(): void {
    if (this.isOver) return;
    const goesOn = this.listener.onInspectionTimeout() && this.first.mayGoOn(this.listener.current.inspection);
    if (goesOn) this.finish(notInspected);
    else this.refuse();
  }

  private refuse(): void {
    this.stop();
    this.socket.destroy();
  }
}

/** The same for a connection out of a tunnel. */
class TunnelInspection implements ConnectionOwner {
  private readonly listener: Listener;
  private readonly connection: Connection;
  private readonly info: ConnectionInfo;
  private readonly first: FirstBytes;
  private timer: Timer | null = null;
  private isOver = false;

  constructor(listener: Listener, connection: Connection, info: ConnectionInfo) {
    this.listener = listener;
    this.connection = connection;
    this.info = info;
    this.first = new FirstBytes(info);
    connection.owner = this;
  }

  start(clock: Clock, rest: Buffer): void {
    const timeoutMs = this.listener.current.inspection?.timeoutMs ?? 0;
    if (timeoutMs > 0) this.timer = clock.start(timeoutMs, onInspectionTimer, this as TunnelInspection);
    this.connection.resume();
    if (rest.length > 0) this.onBytes(rest, 0, rest.length);
  }

  onBytes(buffer: Buffer, offset: number, length: number): void {
    const chunk = Buffer.from(buffer.subarray(offset, offset + length));
    const seen = this.first.feed(chunk, this.listener.current.inspection);
    if (seen === 'more') return;
    if (seen === 'refused') this.refuse();
    else this.finish(seen);
  }

  private finish(seen: Inspected): void {
    this.stop();
    this.info.serverName = seen.serverName;
    handTunnel(this.connection, this.info, this.listener.choose(this.info, seen), this.first.bytes);
  }

  onFin(): void {
    this.refuse();
  }

  onClose(): void {
    this.stop();
  }

  private stop(): void {
    this.isOver = true;
    this.timer?.stop();
  }

  onDrain(): void {}

  onTimeout(): void {
    if (this.isOver) return;
    const goesOn = this.listener.onInspectionTimeout() && this.first.mayGoOn(this.listener.current.inspection);
    if (goesOn) this.finish(notInspected);
    else this.refuse();
  }

  private refuse(): void {
    this.stop();
    this.connection.destroy();
  }
}

/** A timer may be due only because the process was busy: what has arrived meanwhile is read first, and may tell. */
function onInspectionTimer(inspection: SocketInspection | TunnelInspection): void {
  setImmediate(onInspectionOver, inspection);
}

function onInspectionOver(inspection: SocketInspection | TunnelInspection): void {
  inspection.onTimeout();
}
