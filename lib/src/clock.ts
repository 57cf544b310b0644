// Time for everything that waits: one wheel of coarse timers instead of a `setTimeout` per request. Tests use a paused clock.

/** A timer's callback; `argument` is what `start` was given, so that no closure is needed. */
export type TimerCallback<T> = (argument: T) => void;

/** The handle of a started timer. Restarting or stopping it is O(1). */
export interface Timer {
  /** Stops it; does nothing when it has fired or was stopped. */
  stop(): void;
}

/** Source of time. `now` is monotonic milliseconds, `wallMs` Unix time in milliseconds: one reading for each turn of the event loop. */
export interface Clock {
  now(): number;
  wallMs(): number;
  /** Calls `callback(argument)` once, at least `delayMs` from now and at most one tick (about 10 ms) later. */
  start<T>(delayMs: number, callback: TimerCallback<T>, argument: T): Timer;
}

const tickMs = 10;
const slotCount = 1024;

class Entry<T = unknown> implements Timer {
  previous: Entry | null = null;
  next: Entry | null = null;
  slot = -1;
  dueTick: number;
  callback: TimerCallback<T>;
  argument: T;
  private readonly wheel: TimerWheel;

  constructor(wheel: TimerWheel, dueTick: number, callback: TimerCallback<T>, argument: T) {
    this.wheel = wheel;
    this.dueTick = dueTick;
    this.callback = callback;
    this.argument = argument;
  }

  stop(): void {
    if (this.slot >= 0) this.wheel.unlink(this as Entry);
  }
}

/**
 * Hashed wheel: 1,024 slots of one tick; an entry whose due time lies further than one turn stays in its slot until its turn comes.
 * `advance` fires everything due. Callbacks may start and stop timers.
 */
class TimerWheel {
  private readonly slots: (Entry | null)[] = new Array<Entry | null>(slotCount).fill(null);
  private tick: number;
  size = 0;

  constructor(nowMs: number) {
    this.tick = Math.floor(nowMs / tickMs);
  }

  add<T>(nowMs: number, delayMs: number, callback: TimerCallback<T>, argument: T): Timer {
    if (this.size === 0) this.tick = Math.max(this.tick, Math.floor(nowMs / tickMs));
    const dueTick = Math.max(this.tick + 1, Math.ceil((nowMs + delayMs) / tickMs));
    const entry = new Entry<T>(this, dueTick, callback, argument);
    this.link(entry as unknown as Entry);
    return entry;
  }

  private link(entry: Entry): void {
    const slot = entry.dueTick % slotCount;
    const head = this.slots[slot] ?? null;
    entry.slot = slot;
    entry.previous = null;
    entry.next = head;
    if (head !== null) head.previous = entry;
    this.slots[slot] = entry;
    this.size++;
  }

  unlink(entry: Entry): void {
    if (entry.previous !== null) entry.previous.next = entry.next;
    else this.slots[entry.slot] = entry.next;
    if (entry.next !== null) entry.next.previous = entry.previous;
    // A dead entry that the collector has not come to yet must not keep its neighbours alive, nor they theirs.
    entry.previous = null;
    entry.next = null;
    entry.slot = -1;
    this.size--;
  }

  advance(nowMs: number): void {
    const last = Math.floor(nowMs / tickMs);
    // A long stall needs one turn at most: every slot is looked at once.
    if (last - this.tick > slotCount) this.tick = last - slotCount;
    while (this.tick < last) {
      this.tick++;
      this.fireSlot(this.tick % slotCount, last);
    }
  }

  private fireSlot(slot: number, lastTick: number): void {
    if (this.slots[slot] === null) return;
    const due: Entry[] = [];
    for (let entry = this.slots[slot] ?? null; entry !== null; entry = entry.next) {
      if (entry.dueTick <= lastTick) due.push(entry);
    }
    // An earlier callback may have stopped a later entry, hence the look at `slot`.
    for (const entry of due.reverse()) {
      if (entry.slot < 0) continue;
      this.unlink(entry);
      entry.callback(entry.argument);
    }
  }
}

class SystemClock implements Clock {
  private readonly wheel = new TimerWheel(performance.now());
  private interval: NodeJS.Timeout | null = null;
  private emptyTicks = 0;
  /** The time of this turn of the event loop; read anew in the next one. */
  private turnMs = 0;
  private isTurnRead = false;
  /** The same by the calendar; 0 until somebody asks. */
  private turnWallMs = 0;
  private readonly onTurnOver = (): void => {
    this.isTurnRead = false;
    this.turnWallMs = 0;
  };

  // A request asks a dozen times; reading the clock each time would cost as much as routing it.
  now(): number {
    if (this.isTurnRead) return this.turnMs;
    this.isTurnRead = true;
    this.turnMs = performance.now();
    setImmediate(this.onTurnOver);
    return this.turnMs;
  }

  wallMs(): number {
    if (this.turnWallMs > 0) return this.turnWallMs;
    // Begins the turn where nobody has.
    this.now();
    this.turnWallMs = Date.now();
    return this.turnWallMs;
  }

  start<T>(delayMs: number, callback: TimerCallback<T>, argument: T): Timer {
    if (this.interval === null) {
      this.interval = setInterval(() => this.onTick(), tickMs);
      this.interval.unref();
    }
    return this.wheel.add(this.now(), delayMs, callback, argument);
  }

  private onTick(): void {
    this.wheel.advance(performance.now());
    this.emptyTicks = this.wheel.size === 0 ? this.emptyTicks + 1 : 0;
    // Sleep when nothing has waited for a second: an idle proxy must not wake up.
    if (this.emptyTicks < 100 || this.interval === null) return;
    clearInterval(this.interval);
    this.interval = null;
    this.emptyTicks = 0;
  }
}

/** A clock that stands still until told otherwise; timers fire inside `advance`. */
export class PausedClock implements Clock {
  private currentMs: number;
  private wallOffsetMs: number;
  private readonly wheel: TimerWheel;

  constructor(wallStartMs = Date.UTC(2026, 0, 1)) {
    this.currentMs = 0;
    this.wallOffsetMs = wallStartMs;
    this.wheel = new TimerWheel(0);
  }

  now(): number {
    return this.currentMs;
  }

  wallMs(): number {
    return this.wallOffsetMs + this.currentMs;
  }

  start<T>(delayMs: number, callback: TimerCallback<T>, argument: T): Timer {
    return this.wheel.add(this.currentMs, delayMs, callback, argument);
  }

  /** Sets the calendar alone, as somebody may, or as it is found after a sleep; timers know nothing of it. */
  setWall(wallMs: number): void {
    this.wallOffsetMs = wallMs - this.currentMs;
  }

  /** Moves time forward, firing what falls due on the way in order of ticks. */
  advance(ms: number): void {
    const endMs = this.currentMs + ms;
    while (this.currentMs < endMs) {
      this.currentMs = Math.min(endMs, this.currentMs + tickMs);
      this.wheel.advance(this.currentMs);
    }
  }
}

/** The clock of the process. Its timers do not keep the process alive. */
export const systemClock: Clock = new SystemClock();
