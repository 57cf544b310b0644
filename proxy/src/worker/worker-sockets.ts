// The listening sockets of one worker: it asks the main thread where to bind, and shares TCP ports with the other workers.

import { codeOf, messageOf } from '@weft/lib/error';
import {
  type ListenEvents,
  type ListenRequest,
  type ListenSockets,
  listenOn,
  type OpenSocket,
} from '../listener/listen-sockets.ts';
import type { Channel } from './channel.ts';
import type { MainCalls, WorkerCalls } from './messages.ts';

type ToMain = Channel<WorkerCalls, MainCalls>;

export class WorkerSockets implements ListenSockets {
  readonly reportsFailures = false;
  private readonly channel: ToMain;
  private readonly standby: Set<WorkerSocket> = new Set();

  constructor(channel: ToMain) {
    this.channel = channel;
  }

  open(request: ListenRequest, events: ListenEvents): OpenSocket {
    const socket = new WorkerSocket(this.channel, this.standby, request, events);
    void socket.ask();
    return socket;
  }

  /** The worker that had the Unix socket is gone. */
  takeOver(request: ListenRequest): void {
    for (const socket of this.standby) if (isSame(socket.request, request)) socket.bind(0);
  }
}

class WorkerSocket implements OpenSocket {
  readonly request: ListenRequest;
  private readonly channel: ToMain;
  private readonly standby: Set<WorkerSocket>;
  private readonly events: ListenEvents;
  private server: OpenSocket | null = null;
  private isClosed = false;
  /** Whoever opened it takes it for bound. */
  private isTold = false;

  constructor(channel: ToMain, standby: Set<WorkerSocket>, request: ListenRequest, events: ListenEvents) {
    this.channel = channel;
    this.standby = standby;
    this.request = request;
    this.events = events;
  }

  async ask(): Promise<void> {
    try {
      const grant = await this.channel.call('listen', this.request);
      if (this.isClosed) return;
      if (grant === 'elsewhere') this.waitForTurn();
      else this.bind(grant.port);
    } catch (error) {
      if (!this.isClosed) this.events.onFailed(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  private waitForTurn(): void {
    this.standby.add(this);
    this.onBound(0);
  }

  bind(port: number): void {
    this.standby.delete(this);
    const { address } = this.request;
    const request = 'path' in address ? this.request : { ...this.request, address: { ...address, port } };
    const events: ListenEvents = {
      onBound: (bound) => {
        this.channel.tell('bound', { request: this.request, port: bound });
        this.onBound(bound);
      },
      onFailed: (error) => this.onFailed(error),
      onSocket: (socket) => this.events.onSocket(socket),
      onAcceptFailed: (error) => this.events.onAcceptFailed?.(error),
    };
    this.server = listenOn(request, events, true);
  }

  private onBound(port: number): void {
    if (this.isTold || this.isClosed) return;
    this.isTold = true;
    this.events.onBound(port);
  }

  private onFailed(error: Error): void {
    this.server = null;
    if (this.isClosed) return;
    this.channel.tell('unbound', { request: this.request, message: `${codeOf(error)} ${error.message}` });
    // A Unix socket that could not be taken over is offered again.
    if (this.isTold) this.standby.add(this);
    else this.events.onFailed(error);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.standby.delete(this);
    this.server?.close();
    this.channel.tell('closed', this.request);
  }
}

/** Whether two requests mean the same socket of the same listener. */
export function isSame(a: ListenRequest, b: ListenRequest): boolean {
  return claimKey(a) === claimKey(b);
}

export function claimKey({ name, address }: ListenRequest): string {
  return 'path' in address ? `${name} ${address.path}` : `${name} ${address.host} ${address.port}`;
}
