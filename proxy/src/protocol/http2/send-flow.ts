// Flow control towards the peer (RFC 9113 §5.2): the connection's window, and the streams that wait for either window to open.

import { maxWindow } from './frame/frame.ts';
import type { Http2Stream } from './stream.ts';

export class SendFlow {
  private window = 65_535;
  /** In the order in which they ran dry; none is here twice, and none that is over. */
  private readonly waiting: Set<Http2Stream> = new Set();

  /** How much of `length` both windows allow. */
  allowed(stream: Http2Stream, length: number): number {
    const window = this.window < stream.sendWindow ? this.window : stream.sendWindow;
    if (length <= window) return length;
    return window > 0 ? window : 0;
  }

  use(stream: Http2Stream, length: number): void {
    this.window -= length;
    stream.sendWindow -= length;
  }

  wait(stream: Http2Stream): void {
    if (stream.isStarved) return;
    stream.isStarved = true;
    this.waiting.add(stream);
  }

  forget(stream: Http2Stream): void {
    if (!stream.isStarved) return;
    stream.isStarved = false;
    this.waiting.delete(stream);
  }

  /** The connection's window grows; false when it is too large then. */
  open(increment: number): boolean {
    this.window += increment;
    return this.window <= maxWindow;
  }

  /** Whether that stream waited and may go on now; it waits no longer then. */
  wakes(stream: Http2Stream): boolean {
    if (!stream.isStarved || stream.sendWindow <= 0 || this.window <= 0) return false;
    this.forget(stream);
    return true;
  }

  /** Streams that wait; a copy, since each may run dry again when it is told. */
  waiters(): readonly Http2Stream[] {
    return this.waiting.size === 0 || this.window <= 0 ? none : [...this.waiting];
  }
}

const none: readonly Http2Stream[] = [];
