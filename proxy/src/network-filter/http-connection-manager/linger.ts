// The end of a client's connection in good order (RFC 9112 §9.6): our side first, then the client's, so that no reset takes from it
// what it has not read yet. To close while bytes come would be answered by a reset, and so would closing over bytes unread.

import type { Clock, Timer } from '@weft/lib/clock';
import type { Connection } from '../../io/connection.ts';

/** How long a client may do nothing before we close, as Envoy's `delayed_close_timeout`. */
const idleMs = 1000;
/** How long it may take what is left, and send (an HTTP/2 client that reads opens windows). */
const wholeMs = 60_000;
/** So much of what still comes is read. A longer upload waits in the kernel while the client takes its answer, as with Envoy. */
const bytesMax = 1024 * 1024;

export class Linger {
  private readonly connection: Connection;
  private readonly clock: Clock;
  private readonly startMs: number;
  private byteMs: number;
  private bytes = 0;
  private timer: Timer | null;

  /** Ends our side; what was written before goes out. */
  constructor(connection: Connection, clock: Clock) {
    this.connection = connection;
    this.clock = clock;
    this.startMs = this.byteMs = clock.now();
    this.timer = clock.start(idleMs, onDue, this as Linger);
    connection.resume();
    connection.end();
  }

  /** What still comes is dropped. */
  onBytes(length: number): void {
    this.byteMs = this.clock.now();
    this.bytes += length;
    if (this.bytes > bytesMax) this.connection.pause();
  }

  onDue(): void {
    this.timer = null;
    const nowMs = this.clock.now();
    const isActive = this.connection.hasUnsent || nowMs - this.byteMs < idleMs;
    if (isActive && nowMs - this.startMs < wholeMs) this.timer = this.clock.start(idleMs, onDue, this as Linger);
    else this.connection.destroy();
  }

  stop(): void {
    this.timer?.stop();
    this.timer = null;
  }
}

function onDue(linger: Linger): void {
  linger.onDue();
}
