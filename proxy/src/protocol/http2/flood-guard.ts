// Counts what a peer may do for nothing and we pay for; halved by every tick, so that bursts pass and floods do not.

import { type Http2Error, http2Error } from './error.ts';
import type { Http2Limits } from './settings.ts';

/** What a cautious receiver sends for each DATA frame that it gets. */
const windowUpdatesPerData = 10;

export class FloodGuard {
  private readonly limits: Http2Limits;
  private streams = 0;
  private resets = 0;
  private pings = 0;
  private settings = 0;
  private emptyFrames = 0;
  private priorities = 0;
  private windowUpdates = 0;
  private sentData = 0;

  constructor(limits: Http2Limits) {
    this.limits = limits;
  }

  onStream(): void {
    this.streams++;
  }

  /** A stream that was reset, by the peer or because of what it sent. A busy client may cancel every other request. */
  onReset(): Http2Error | null {
    const allowed = this.limits.maxResets + (this.streams >> 1);
    return ++this.resets > allowed ? http2Error.reset_flood : null;
  }

  onPing(): Http2Error | null {
    return ++this.pings > this.limits.maxPings ? http2Error.ping_flood : null;
  }

  /** SETTINGS, and GOAWAY, of which a peer needs two. */
  onSettings(): Http2Error | null {
    return ++this.settings > this.limits.maxSettings ? http2Error.settings_flood : null;
  }

  /** Whatever keeps us busy without moving an exchange on. */
  onEmptyFrame(): Http2Error | null {
    return ++this.emptyFrames > this.limits.maxEmptyFrames ? http2Error.empty_frame_flood : null;
  }

  onPriority(): Http2Error | null {
    return ++this.priorities > this.limits.maxPriorities ? http2Error.priority_flood : null;
  }

  onWindowUpdate(): Http2Error | null {
    const allowed = this.limits.maxWindowUpdates + windowUpdatesPerData * this.sentData;
    return ++this.windowUpdates > allowed ? http2Error.window_update_flood : null;
  }

  onDataSent(): void {
    this.sentData++;
  }

  tick(): void {
    this.streams >>= 1;
    this.resets >>= 1;
    this.pings >>= 1;
    this.settings >>= 1;
    this.emptyFrames >>= 1;
    this.priorities >>= 1;
    this.windowUpdates >>= 1;
    this.sentData >>= 1;
  }
}
