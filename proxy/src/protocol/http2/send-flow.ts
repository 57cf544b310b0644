// Flow control towards the peer (RFC 9113 §5.2): the connection's window, and the streams that wait for either window to open.

import { maxWindow } from './frame/frame.ts';
import type { Http2Stream } from './stream.ts';

export class SendFlow {
  private window = 65_535;
  // In the order in which they ran dry; none is here twice, and none that is over. Linked through the streams: a `Set` that members enter
  // and leave all the time makes garbage that only a full collection frees.
  private first: Http2Stream | null = null;
  private last: Http2Stream | null = null;
  /** How many streams wait. */
  waiting = 0;

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
    this.waiting++;
    this.append(stream);
  }

  forget(stream: Http2Stream): void {
    if (!stream.isStarved) return;
    stream.isStarved = false;
    this.waiting--;
    this.unlink(stream);
  }

  private append(stream: Http2Stream): void {
    stream.waitsBehind = this.last;
    if (this.last === null) this.first = stream;
    else this.last.waitsBefore = stream;
    this.last = stream;
  }

  // Its own links go too: a stream that has grown old would keep its neighbours.
  private unlink(stream: Http2Stream): void {
    const { waitsBehind, waitsBefore } = stream;
    if (waitsBehind === null) this.first = waitsBefore;
    else waitsBehind.waitsBefore = waitsBefore;
    if (waitsBefore === null) this.last = waitsBehind;
    else waitsBefore.waitsBehind = waitsBehind;
    stream.waitsBehind = null;
    stream.waitsBefore = null;
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

  /** The one that waits longest may go on: it waits no longer then. Null when it may not, and stands behind the others. */
  wakeNext(): Http2Stream | null {
    const { first } = this;
    if (first === null || this.wakes(first)) return first;
    this.unlink(first);
    this.append(first);
    return null;
  }

  get isShut(): boolean {
    return this.window <= 0;
  }
}
