// Asks an HTTP/2 peer for signs of life by PING, and says when none comes (Envoy: connection_keepalive).
//
//   resting -> (interval, or a stream after a long silence) asking -> (PING came back) resting
//                                                                 -> (nothing came for the time-out) dead

import type { Clock, Timer } from '@weft/lib/clock';
import type { Connection } from '../io/connection.ts';
import type { Http2Connection } from '../protocol/http2/connection.ts';

/** What `KeepaliveSettings` say. Zero means never. */
export interface KeepAlivePlan {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Share of the interval that chance adds, so that many connections do not ask at once. */
  readonly jitter: number;
  /** A stream that begins after such a silence brings a PING of its own. */
  readonly idleIntervalMs: number;
}

/** The connection's owner. */
export interface KeepAliveOwner {
  readonly http2: Http2Connection;
  readonly connection: Connection;
  /** When the last bytes came. */
  readonly lastByteMs: number;
  onDead(): void;
}

export class Http2KeepAlive {
  private readonly plan: KeepAlivePlan;
  private readonly owner: KeepAliveOwner;
  private readonly clock: Clock;
  private readonly random: () => number;
  private isAsking = false;
  private timer: Timer | null = null;

  constructor(plan: KeepAlivePlan, owner: KeepAliveOwner, clock: Clock, random: () => number) {
    this.plan = plan;
    this.owner = owner;
    this.clock = clock;
    this.random = random;
    this.rest();
  }

  private rest(): void {
    const { intervalMs, jitter } = this.plan;
    this.isAsking = false;
    if (intervalMs === 0) return;
    const waitMs = intervalMs * (1 + jitter * this.random());
    this.timer = this.clock.start(waitMs, onTime, this as Http2KeepAlive);
  }

  private ask(): void {
    this.timer?.stop();
    this.isAsking = true;
    this.owner.http2.ping();
    this.timer = this.clock.start(this.plan.timeoutMs, onTime, this as Http2KeepAlive);
  }

  /** A stream is about to be opened. */
  onStream(): void {
    const { idleIntervalMs } = this.plan;
    if (idleIntervalMs === 0 || this.isAsking) return;
    if (this.clock.now() - this.owner.lastByteMs >= idleIntervalMs) this.ask();
  }

  onPong(): void {
    if (!this.isAsking) return;
    this.timer?.stop();
    this.rest();
  }

  onTimer(): void {
    this.timer = null;
    if (!this.isAsking) {
      this.ask();
      return;
    }
    // The answer may stand behind other bytes, which are signs of life themselves.
    const leftMs = this.owner.lastByteMs + this.plan.timeoutMs - this.clock.now();
    if (leftMs > 0) this.timer = this.clock.start(leftMs, onTime, this as Http2KeepAlive);
    else if (this.owner.connection.paused) this.listen();
    else this.owner.onDead();
  }

  // Nothing came because we did not read.
  private listen(): void {
    this.owner.connection.resume();
    this.timer = this.clock.start(this.plan.timeoutMs, onTime, this as Http2KeepAlive);
  }

  stop(): void {
    this.timer?.stop();
    this.timer = null;
  }
}

function onTime(keepAlive: Http2KeepAlive): void {
  keepAlive.onTimer();
}
