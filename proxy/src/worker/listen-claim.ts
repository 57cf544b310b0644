// One address that the workers are to listen on together, as the main thread sees it: who has bound, who waits, what came of it.

import type { ListenEvents, ListenRequest } from '../listener/listen-sockets.ts';
import type { ListenGrant } from './messages.ts';

interface Asker {
  readonly worker: number;
  readonly resolve: (grant: ListenGrant) => void;
  readonly reject: (error: Error) => void;
}

/** What a claim needs to be told of. */
export interface ClaimOwner {
  /** Offers a Unix socket to a worker that stood by. */
  offer(worker: number, request: ListenRequest): void;
  /** No worker could bind. */
  onClaimFailed(claim: ListenClaim): void;
}

export class ListenClaim {
  readonly request: ListenRequest;
  private readonly holders: Set<number> = new Set();
  private readonly owner: ClaimOwner;
  private readonly events: ListenEvents;
  private readonly askers: Asker[] = [];
  private readonly standby: Set<number> = new Set();
  private isCleared = false;
  private isOver = false;
  private isTold = false;
  /** Binds now; others wait for what comes of it. */
  private binder: number | null = null;
  private port: number;
  /** The one worker that is to bind. */
  private chosen: number | null;

  constructor(owner: ClaimOwner, request: ListenRequest, events: ListenEvents, chosen: number | null) {
    this.chosen = chosen;
    this.owner = owner;
    this.request = request;
    this.events = events;
    this.port = 'path' in request.address ? 0 : request.address.port;
  }

  /** A worker asks where to bind. */
  ask(asker: Asker): void {
    this.askers.push(asker);
    this.serve();
  }

  /** Nobody else has the address: workers may bind. */
  clear(): void {
    this.isCleared = true;
    this.serve();
  }

  /** Nobody else has the address. */
  get isAllowed(): boolean {
    return this.isCleared && !this.isOver;
  }

  private serve(): void {
    if (!this.isCleared || this.isOver) return;
    for (const asker of this.askers.splice(0)) this.serveOne(asker);
  }

  private serveOne(asker: Asker): void {
    if (this.port !== 0) asker.resolve({ port: this.port });
    else if (this.mayBind(asker.worker)) {
      this.binder = asker.worker;
      asker.resolve({ port: 0 });
    } else if ('path' in this.request.address) {
      this.standby.add(asker.worker);
      asker.resolve('elsewhere');
    } else this.askers.push(asker);
  }

  private mayBind(worker: number): boolean {
    if (this.binder !== null || this.holders.size > 0) return false;
    return this.chosen === null || this.chosen === worker;
  }

  onBound(worker: number, port: number): void {
    this.holders.add(worker);
    this.standby.delete(worker);
    if (this.binder === worker) this.binder = null;
    this.port = port;
    this.serve();
    if (this.isTold || this.isOver) return;
    this.isTold = true;
    this.events.onBound(port);
  }

  onUnbound(worker: number, error: Error): void {
    if (!this.isTold) {
      this.fail(error);
      return;
    }
    if (this.binder === worker) this.binder = null;
    if ('path' in this.request.address) this.standby.add(worker);
    else this.serve();
  }

  /** The worker closed its socket, or died. */
  leave(worker: number): void {
    this.holders.delete(worker);
    this.standby.delete(worker);
    this.askers.splice(0, this.askers.length, ...this.askers.filter((asker) => asker.worker !== worker));
    if (this.binder === worker) this.binder = null;
    if (this.chosen === worker) this.chosen = null;
    this.offerAgain();
    this.serve();
  }

  /** A Unix socket that nobody has goes to one that stands by. */
  offerAgain(): void {
    const [next] = this.standby;
    if (this.isOver || next === undefined || !this.mayBind(next)) return;
    this.standby.delete(next);
    this.binder = next;
    this.owner.offer(next, this.request);
  }

  fail(error: Error): void {
    if (this.isOver) return;
    this.end(error);
    this.owner.onClaimFailed(this);
    this.events.onFailed(error);
  }

  /** The listener is gone, or starts anew. */
  end(error: Error): void {
    this.isOver = true;
    for (const asker of this.askers.splice(0)) asker.reject(error);
  }
}
