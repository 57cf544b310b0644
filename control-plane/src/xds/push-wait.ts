// Waiting until every proxy concerned has taken a revision, or has said why not.

import type { Clock, Timer } from '@weft/lib/clock';
import type { ProxyStatus } from './proxy-status.ts';

/** A proxy that is ready, or is not and why. */
export interface WaitOutcome {
  readonly ready: readonly string[];
  readonly missing: readonly { readonly proxy: string; readonly reason: string }[];
}

interface Waiter {
  readonly revision: number;
  readonly filter: (status: ProxyStatus) => boolean;
  readonly finish: (outcome: WaitOutcome) => void;
  timer: Timer | null;
}

export class RevisionWaiters {
  private readonly waiters: Set<Waiter> = new Set();
  private readonly clock: Clock;
  /** Statuses of the connected proxies, and the revision of the mesh. */
  private readonly look: () => { readonly revision: number; readonly statuses: readonly ProxyStatus[] };

  constructor(clock: Clock, look: RevisionWaiters['look']) {
    this.clock = clock;
    this.look = look;
  }

  /** `onGone` is told what to call when nobody waits for the outcome any more. */
  wait(
    revision: number,
    timeoutMs: number,
    filter: Waiter['filter'],
    onGone: (end: () => void) => void = () => {},
  ): Promise<WaitOutcome> {
    return new Promise((resolve) => {
      const waiter: Waiter = { revision, filter, finish: resolve, timer: null };
      this.waiters.add(waiter);
      waiter.timer = this.clock.start(timeoutMs, () => this.end(waiter), null);
      onGone(() => this.end(waiter));
      this.check();
    });
  }

  /** Something changed: an answer, a connection, a mesh. */
  check(): void {
    for (const waiter of this.waiters) {
      const { revision } = this.look();
      if (revision < waiter.revision) continue;
      const { missing, refused } = this.outcome(waiter);
      // Those who refused will not change their minds; waiting for others only makes sense while there are others.
      if (missing.length === refused) this.end(waiter);
    }
  }

  /** Ends all waits, as the control plane goes. */
  close(): void {
    for (const waiter of [...this.waiters]) this.end(waiter);
  }

  private end(waiter: Waiter): void {
    if (!this.waiters.delete(waiter)) return;
    waiter.timer?.stop();
    const { ready, missing } = this.outcome(waiter);
    waiter.finish({ ready, missing });
  }

  private outcome({ revision, filter }: Waiter): WaitOutcome & { readonly refused: number } {
    const look = this.look();
    const ready: string[] = [];
    const missing: { proxy: string; reason: string }[] = [];
    let refused = 0;
    for (const status of look.statuses.filter(filter)) {
      if (look.revision >= revision && status.isInSync) ready.push(status.id);
      else missing.push({ proxy: status.id, reason: reasonOf(status, revision, look.revision) });
      if (status.problem !== null || (status.lastNack !== null && !isBusy(status))) refused++;
    }
    return { ready, missing, refused };
  }
}

/** Whether an answer is still to come for something else than what was refused. */
function isBusy({ types, lastNack }: ProxyStatus): boolean {
  return Object.entries(types).some(
    ([type, { wantedRevision, ackedRevision }]) => type !== lastNack?.type && ackedRevision < wantedRevision,
  );
}

function reasonOf(status: ProxyStatus, revision: number, meshRevision: number): string {
  if (meshRevision < revision)
    return `the control plane has not reached revision ${revision} yet; it is at ${meshRevision}`;
  if (status.problem !== null) return status.problem;
  if (status.lastNack !== null) {
    return `it refused ${status.lastNack.type.toUpperCase()} of revision ${status.lastNack.revision}: ${status.lastNack.message}`;
  }
  return `it has accepted revision ${status.ackedRevision}, and has not answered yet for ${revision}`;
}
