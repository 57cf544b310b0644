// The listening sockets of one worker: it asks the main thread where to bind, and shares TCP ports with the other workers.

import { codeOf, messageOf } from '@weft/lib/error';
import {
  type ListenEvents,
  type ListenRequest,
  type ListenSockets,
  listenOn,
  type OpenSocket,
  placeOf,
} from '../listener/listen-sockets.ts';
import type { Channel } from './channel.ts';
import type { MainCalls, WorkerCalls } from './messages.ts';

type ToMain = Channel<WorkerCalls, MainCalls>;

export class WorkerSockets implements ListenSockets {
  readonly reportsFailures = false;
  private readonly channel: ToMain;
  private readonly standby: Set<WorkerSocket> = new Set();
  /** Wait for their address. */
  private readonly asking: Set<WorkerSocket> = new Set();

  constructor(channel: ToMain) {
    this.channel = channel;
  }

  open(request: ListenRequest, events: ListenEvents): OpenSocket {
    const socket = new WorkerSocket(this.channel, this, request, events);
    void socket.ask();
    return socket;
  }

  begin(socket: WorkerSocket): void {
    this.asking.add(socket);
  }

  /** It is bound, or will not be. */
  end(socket: WorkerSocket): void {
    this.asking.delete(socket);
  }

  /** Who is about to listen where that one does, in the same way. */
  heirOf({ request }: WorkerSocket): WorkerSocket | null {
    if ('port' in request.address && request.address.port === 0) return null;
    const place = placeOf(request);
    return [...this.asking].find((one) => placeOf(one.request) === place) ?? null;
  }

  standBy(socket: WorkerSocket): void {
    this.standby.add(socket);
  }

  leaveStandby(socket: WorkerSocket): void {
    this.standby.delete(socket);
  }

  /** The worker that had the Unix socket is gone. */
  takeOver(request: ListenRequest): void {
    for (const socket of this.standby) if (isSame(socket.request, request)) socket.bind(0);
  }
}

/** Sockets that listen, and whose connections they are now: a listener that takes the place of another has them from it. */
interface Holding {
  user: WorkerSocket;
  server: OpenSocket | null;
}

class WorkerSocket implements OpenSocket {
  readonly request: ListenRequest;
  private readonly channel: ToMain;
  private readonly owner: WorkerSockets;
  private readonly events: ListenEvents;
  private holding: Holding | null = null;
  private isClosed = false;
  /** Whoever opened it takes it for bound. */
  private isTold = false;
  /** The closed one whose sockets this one will have: connections that the system holds for them are not lost. */
  private predecessor: WorkerSocket | null = null;

  constructor(channel: ToMain, owner: WorkerSockets, request: ListenRequest, events: ListenEvents) {
    this.channel = channel;
    this.owner = owner;
    this.request = request;
    this.events = events;
  }

  async ask(): Promise<void> {
    this.owner.begin(this);
    try {
      const grant = await this.channel.call('listen', this.request);
      if (this.isClosed) return;
      if (grant === 'elsewhere') this.waitForTurn();
      else this.bind(grant.port);
    } catch (error) {
      this.settle();
      if (!this.isClosed) this.events.onFailed(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  private waitForTurn(): void {
    this.owner.standBy(this);
    this.onBound(0);
  }

  bind(port: number): void {
    const { predecessor } = this;
    if (predecessor !== null) {
      this.inherit(predecessor, port);
      return;
    }
    this.owner.leaveStandby(this);
    const { address } = this.request;
    const request = 'path' in address ? this.request : { ...this.request, address: { ...address, port } };
    const holding: Holding = { user: this, server: null };
    this.holding = holding;
    holding.server = listenOn(
      request,
      {
        onBound: (bound) => holding.user.onListening(bound),
        onFailed: (error) => holding.user.onFailed(error),
        onSocket: (socket) => holding.user.events.onSocket(socket),
        onAcceptFailed: (error) => holding.user.events.onAcceptFailed?.(error),
      },
      true,
    );
  }

  private inherit(predecessor: WorkerSocket, port: number): void {
    this.holding = predecessor.holding;
    predecessor.holding = null;
    if (this.holding !== null) this.holding.user = this;
    this.settle();
    this.onListening(port);
  }

  private onListening(port: number): void {
    this.channel.tell('bound', { request: this.request, port });
    this.onBound(port);
  }

  private onBound(port: number): void {
    this.settle();
    if (this.isTold || this.isClosed) return;
    this.isTold = true;
    this.events.onBound(port);
  }

  private onFailed(error: Error): void {
    this.holding = null;
    this.settle();
    if (this.isClosed) return;
    this.channel.tell('unbound', { request: this.request, message: `${codeOf(error)} ${error.message}` });
    // A Unix socket that could not be taken over is offered again.
    if (this.isTold) this.owner.standBy(this);
    else this.events.onFailed(error);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.owner.leaveStandby(this);
    const heir = this.holding !== null && this.isTold ? this.owner.heirOf(this) : null;
    this.settle();
    if (heir === null || heir.predecessor !== null) this.release();
    else heir.predecessor = this;
  }

  private release(): void {
    this.holding?.server?.close();
    this.channel.tell('closed', this.request);
  }

  /** It listens, or will not: the one before it is not needed any more. */
  private settle(): void {
    this.owner.end(this);
    this.predecessor?.release();
    this.predecessor = null;
  }
}

/** Whether two requests mean the same socket of the same listener. */
export function isSame(a: ListenRequest, b: ListenRequest): boolean {
  return claimKey(a) === claimKey(b);
}

export function claimKey(request: ListenRequest): string {
  return `${request.name} ${placeOf(request)}`;
}
