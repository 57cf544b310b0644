// Tells of new worlds, not too often: after a quiet moment, and after a bounded time even when it never gets quiet.

import type { Clock, Timer } from '@weft/lib/clock';
import type { World } from './world.ts';

export type WorldListener = (world: World) => void;

/** How long changes are gathered. */
export interface PublishDelay {
  /** 0 publishes at once. */
  readonly quietMs: number;
  readonly maxWaitMs: number;
}

/** Gathers changes and publishes the world that results. */
export class WorldPublisher {
  private readonly listeners: Set<WorldListener> = new Set();
  private readonly clock: Clock;
  private readonly delay: PublishDelay;
  private readonly takeWorld: () => World;
  private timer: Timer | null = null;
  private firstChangeMs = 0;

  constructor(clock: Clock, delay: PublishDelay, takeWorld: () => World) {
    this.clock = clock;
    this.delay = delay;
    this.takeWorld = takeWorld;
  }

  /** Calls the listener for every world from now on; gives back how to stop. */
  subscribe(listener: WorldListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Something changed. */
  changed(): void {
    if (this.delay.quietMs === 0) {
      this.publish();
      return;
    }
    const nowMs = this.clock.now();
    if (this.timer === null) this.firstChangeMs = nowMs;
    this.timer?.stop();
    const untilLatest = this.firstChangeMs + this.delay.maxWaitMs - nowMs;
    const waitMs = Math.max(0, Math.min(this.delay.quietMs, untilLatest));
    this.timer = this.clock.start(waitMs, (publisher: WorldPublisher) => publisher.publish(), this);
  }

  /** Publishes now if anything waits. */
  flush(): void {
    if (this.timer !== null) this.publish();
  }

  /** Publishes nothing any more. */
  close(): void {
    this.timer?.stop();
    this.timer = null;
    this.listeners.clear();
  }

  private publish(): void {
    this.timer?.stop();
    this.timer = null;
    const world = this.takeWorld();
    for (const listener of [...this.listeners]) listener(world);
  }
}
