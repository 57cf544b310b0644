// Counts what a peer may do for nothing and we pay for; halved by every tick, so that bursts pass and floods do not.
// What is measured against work done for the peer (streams, DATA) is counted for the life of the connection.

import { type Http2Error, http2Error } from './error.ts';
import type { Http2Limits } from './settings.ts';

/** WINDOW_UPDATEs that need no DATA: for the connection's window, and at the start of each stream. */
const windowUpdatesFree = 5;

const lateBlocksPerReset = 4;

/** RFC 9113 §4.2: what a frame may hold unless the peer says otherwise. */
const plainFrameBytes = 16_384;

export class FloodGuard {
  /** Ticks so far, by which streams know their age. */
  ticks = 0;
  private readonly limits: Http2Limits;
  private streams = 0;
  private resets = 0;
  private pings = 0;
  private settings = 0;
  private emptyFrames = 0;
  private emptyRun = 0;
  private streamsEver = 0;
  private priorities = 0;
  private windowUpdates = 0;
  private sentData = 0;
  private sentLately = 0;
  private lateBlocksDue = 0;
  /** Frames written that may not have left yet. */
  outbound = 0;
  private outboundControl = 0;

  constructor(limits: Http2Limits) {
    this.limits = limits;
  }

  onStream(): void {
    this.streams++;
    this.streamsEver++;
  }

  /** A stream that was reset, by the peer or because of what it sent. A busy client may cancel every other request. */
  onReset(): Http2Error | null {
    const allowed = this.limits.maxResets + (this.streams >> 1);
    return ++this.resets > allowed ? http2Error.reset_flood : null;
  }

  /** One that measures the connection by how long a PING takes sends one behind each DATA frame that comes (gRPC in Go). */
  onPing(): Http2Error | null {
    return ++this.pings > this.limits.maxPings + this.sentLately ? http2Error.ping_flood : null;
  }

  /** SETTINGS, and GOAWAY, of which a peer needs two. */
  onSettings(): Http2Error | null {
    return ++this.settings > this.limits.maxSettings ? http2Error.settings_flood : null;
  }

  /** DATA, HEADERS or CONTINUATION with neither content nor an end. */
  onEmptyFrame(): Http2Error | null {
    return ++this.emptyRun > this.limits.maxConsecutiveEmptyFrames ? http2Error.empty_frame_flood : this.onIdleFrame();
  }

  /** Such a frame with content. */
  onContent(): void {
    this.emptyRun = 0;
  }

  /** Whatever keeps us busy without moving an exchange on. */
  onIdleFrame(): Http2Error | null {
    return ++this.emptyFrames > this.limits.maxEmptyFrames ? http2Error.empty_frame_flood : null;
  }

  /** We reset a stream: a few 1xx, a head and trailers may be on their way. */
  onResetSent(): void {
    this.lateBlocksDue += lateBlocksPerReset;
  }

  /** One of these came. */
  onLateBlock(): Http2Error | null {
    if (this.lateBlocksDue === 0) return this.onIdleFrame();
    this.lateBlocksDue--;
    return null;
  }

  onPriority(): Http2Error | null {
    const allowed = this.limits.maxPrioritiesPerStream * (1 + this.streamsEver);
    return ++this.priorities > allowed ? http2Error.priority_flood : null;
  }

  onWindowUpdate(): Http2Error | null {
    const earned = this.streamsEver + this.limits.maxWindowUpdatesPerData * this.sentData;
    return ++this.windowUpdates > windowUpdatesFree + 2 * earned ? http2Error.window_update_flood : null;
  }

  /** `waits`: behind others that the peer has not read. */
  onDataSent(length: number, waits: boolean): void {
    // Limits by DATA frames mean those of the size that every peer takes. A server in Go opens both windows for each 4 KiB it reads.
    const frames = length <= plainFrameBytes ? 1 : Math.ceil(length / plainFrameBytes);
    this.sentData += frames;
    this.sentLately += frames;
    if (waits) this.outbound++;
  }

  onHeadSent(): void {
    this.outbound++;
  }

  /** An acknowledgement or a reset, which the peer makes us write. */
  onControlSent(): void {
    this.outbound++;
    this.outboundControl++;
  }

  /** Everything written so far has left. */
  onFlushed(): void {
    this.outbound = 0;
    this.outboundControl = 0;
  }

  /** Whether more waits for the peer than may. */
  checkOutbound(): Http2Error | null {
    if (this.outboundControl > this.limits.maxOutboundControlFrames) return http2Error.outbound_control_flood;
    return this.outbound > this.limits.maxOutboundFrames ? http2Error.outbound_flood : null;
  }

  tick(): void {
    this.ticks++;
    this.streams >>= 1;
    this.resets >>= 1;
    this.pings >>= 1;
    this.sentLately >>= 1;
    this.settings >>= 1;
    this.emptyFrames >>= 1;
  }
}
