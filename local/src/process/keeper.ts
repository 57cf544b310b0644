// Keeps one process running: starts it, starts it again with back-off when it ends, and stops it when told.
import { messageOf } from '@weft/lib/error';
import { Backoff, Pause } from './backoff.ts';
import { type Child, describeExit, type Exit } from './child.ts';

/** What the owner of a keeper is told. */
export interface KeeperEvents {
  /** The process runs. */
  onStarted(child: Child): void;
  /** It ended or could not be started, and will be started again in `retryMs`. `code` is its exit status where it had one. */
  onDown(reason: string, retryMs: number, code: number | null): void;
}

/** A process that is to run for as long as the mesh does. */
export class Keeper {
  private readonly startChild: () => Promise<Child>;
  private readonly events: KeeperEvents;
  private readonly backoff: Backoff;
  private readonly pause = new Pause();
  private child: Child | null = null;
  private stopping = false;
  private loop: Promise<void> | null = null;
  /** How often it was started again. */
  restarts = 0;

  constructor(startChild: () => Promise<Child>, events: KeeperEvents, backoff: Backoff = new Backoff()) {
    this.startChild = startChild;
    this.events = events;
    this.backoff = backoff;
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  start(): void {
    this.loop ??= this.run();
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const startedMs = performance.now();
      const { reason, code } = await this.runOnce();
      if (this.stopping) return;
      const delayMs = this.backoff.next(performance.now() - startedMs);
      this.restarts++;
      this.events.onDown(reason, delayMs, code);
      await this.pause.take(delayMs);
    }
  }

  private async runOnce(): Promise<{ reason: string; code: number | null }> {
    try {
      const child = await this.startChild();
      this.child = child;
      if (this.stopping) return { reason: '', code: null };
      this.events.onStarted(child);
      const exit: Exit = await child.ended;
      return { reason: describeExit(exit), code: exit.code };
    } catch (error) {
      return { reason: `could not be started: ${messageOf(error)}`, code: null };
    } finally {
      if (!this.stopping) this.child = null;
    }
  }

  /** Ends the running process; the loop starts the next one. */
  async restart(graceMs: number): Promise<void> {
    await this.child?.stop(graceMs);
  }

  /** Ends it for good. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.pause.end();
    await this.child?.stop(graceMs);
    await this.loop;
    // A start that was under way when we were told to stop has finished by now.
    await this.child?.stop(graceMs);
  }
}
