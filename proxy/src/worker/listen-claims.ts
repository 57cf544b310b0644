// The listening sockets of a process with several workers, seen from the main thread: it has none itself, makes sure that nobody
// else has the address, tells the workers where to bind, and reports what came of it.

import type { Clock } from '@weft/lib/clock';
import {
  bindError,
  collides,
  type ListenEvents,
  type ListenRequest,
  type ListenSockets,
  type OpenSocket,
  overlaps,
} from '../listener/listen-sockets.ts';
import { type ClaimOwner, ListenClaim } from './listen-claim.ts';
import type { ListenGrant } from './messages.ts';
import { claimKey } from './worker-sockets.ts';

const offerRetryMs = 1000;

export class ListenClaims implements ListenSockets, ClaimOwner {
  readonly reportsFailures = true;
  /** Tells a worker to take a Unix socket over. */
  onOffer: ((worker: number, request: ListenRequest) => void) | null = null;
  private readonly clock: Clock;
  private readonly claims: Map<string, ListenClaim> = new Map();
  /** Sockets that workers have, whatever has become of the claim meanwhile. */
  private readonly held: Map<string, { readonly request: ListenRequest; readonly workers: Set<number> }> = new Map();
  /** Workers that asked before the listener was opened here. */
  private readonly early: Map<string, { worker: number; ask: (claim: ListenClaim) => void }[]> = new Map();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  open(request: ListenRequest, events: ListenEvents): OpenSocket {
    const key = claimKey(request);
    const claim = new ListenClaim(this, request, events, this.holderOf(request));
    // At the end, in the order of the requests.
    this.claims.delete(key);
    this.claims.set(key, claim);
    // Whoever has the address may give it up by the same change.
    setImmediate(() => this.decide(key, claim));
    for (const { ask } of this.early.get(key) ?? []) ask(claim);
    this.early.delete(key);
    return { close: () => this.close(key, claim) };
  }

  /** The worker that has the Unix socket of a listener before: only there the next one can have it from that. */
  private holderOf({ address }: ListenRequest): number | null {
    if (!('path' in address)) return null;
    const held = [...this.held.values()].find(({ request }) => overlaps(request.address, address));
    return held?.workers.values().next().value ?? null;
  }

  private close(key: string, claim: ListenClaim): void {
    claim.end(new Error('the listener is closed'));
    if (this.claims.get(key) === claim) this.claims.delete(key);
  }

  private decide(key: string, claim: ListenClaim): void {
    const { request } = claim;
    if (this.claims.get(key) !== claim) return;
    if (this.isTaken(claim)) {
      claim.fail(inUse(request));
      return;
    }
    const taken = this.isOurs(claim) ? null : bindError(request.address);
    if (taken === null) claim.clear();
    else claim.fail(taken);
  }

  /** By a listener that came before. */
  private isTaken(claim: ListenClaim): boolean {
    return this.before(claim).some((other) => collides(other.request.address, claim.request.address));
  }

  /** Workers have the address, or will have one that includes it: binding would only find them. */
  private isOurs(claim: ListenClaim): boolean {
    const others = [...this.held.values(), ...this.before(claim).filter((other) => other.isAllowed)];
    return others.some(({ request }) => overlaps(request.address, claim.request.address));
  }

  private before(claim: ListenClaim): ListenClaim[] {
    const claims = [...this.claims.values()];
    return claims.slice(0, claims.indexOf(claim));
  }

  // ---- workers

  listen(worker: number, request: ListenRequest): Promise<ListenGrant> {
    return new Promise((resolve, reject) => {
      const ask = (claim: ListenClaim): void => claim.ask({ worker, resolve, reject });
      const key = claimKey(request);
      const claim = this.claims.get(key);
      if (claim === undefined) this.early.set(key, [...(this.early.get(key) ?? []), { worker, ask }]);
      else ask(claim);
    });
  }

  onBound(worker: number, request: ListenRequest, port: number): void {
    const key = claimKey(request);
    const one = this.held.get(key) ?? { request, workers: new Set() };
    this.held.set(key, one);
    one.workers.add(worker);
    this.claims.get(key)?.onBound(worker, port);
  }

  onUnbound(worker: number, request: ListenRequest, error: Error): void {
    const claim = this.claims.get(claimKey(request));
    claim?.onUnbound(worker, error);
    this.clock.start(offerRetryMs, () => claim?.offerAgain(), undefined);
  }

  onClosed(worker: number, request: ListenRequest): void {
    const key = claimKey(request);
    // What it closes is what it has, or else what it asked for first.
    if (this.held.get(key)?.workers.has(worker) !== true) this.withdraw(worker, key);
    this.release(worker, key);
    this.claims.get(key)?.leave(worker);
  }

  private withdraw(worker: number, key: string): void {
    const askers = this.early.get(key) ?? [];
    const at = askers.findIndex((asker) => asker.worker === worker);
    if (at < 0) return;
    askers.splice(at, 1);
    if (askers.length === 0) this.early.delete(key);
  }

  /** The worker is gone, and its sockets with it. */
  onWorkerGone(worker: number): void {
    for (const [key, askers] of this.early) {
      const left = askers.filter((asker) => asker.worker !== worker);
      if (left.length === 0) this.early.delete(key);
      else this.early.set(key, left);
    }
    for (const key of [...this.held.keys()]) this.release(worker, key);
    for (const claim of this.claims.values()) claim.leave(worker);
  }

  private release(worker: number, key: string): void {
    const one = this.held.get(key);
    one?.workers.delete(worker);
    if (one?.workers.size === 0) this.held.delete(key);
  }

  // ---- claims

  offer(worker: number, request: ListenRequest): void {
    this.onOffer?.(worker, request);
  }

  onClaimFailed(claim: ListenClaim): void {
    const key = claimKey(claim.request);
    if (this.claims.get(key) === claim) this.claims.delete(key);
  }
}

function inUse({ address }: ListenRequest): Error {
  const where = 'path' in address ? address.path : `${address.host}:${address.port}`;
  return Object.assign(new Error(`listen EADDRINUSE: address already in use ${where}`), { code: 'EADDRINUSE' });
}
