// Flow control towards us (RFC 9113 §5.2): what the peer may still send, and when it is told that it may send more.
//
// A window is opened again in halves: smaller steps would cost a frame for each chunk, larger ones would let the sender run dry.

import type { ByteWriter } from '@weft/lib/bytes';
import { writeWindowUpdate } from './frame/frame.ts';
import type { Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';

/** What holds until the peer has acknowledged our SETTINGS. */
export const protocolWindow = 65_535;

/** The connection's window and those of its streams. */
export class ReceiveFlow {
  /** What a new stream may send. */
  initialWindow: number;
  private readonly settings: Http2Settings;
  private readonly out: () => ByteWriter;
  private window = protocolWindow;
  private unannounced = 0;

  constructor(settings: Http2Settings, out: () => ByteWriter) {
    this.settings = settings;
    this.out = out;
    // A window that is smaller than the protocol's own holds from the peer's acknowledgement on.
    this.initialWindow = Math.max(settings.initialWindowBytes, protocolWindow);
  }

  /** Opens the connection's window as configured; one below the protocol's own cannot be told. */
  start(): void {
    const more = this.settings.connectionWindowBytes - this.window;
    if (more <= 0) return;
    this.window += more;
    writeWindowUpdate(this.out(), 0, more);
  }

  /** The peer knows our settings: returns by how much the windows of its streams shrink. */
  acknowledge(): number {
    const shrinks = this.initialWindow - this.settings.initialWindowBytes;
    this.initialWindow = this.settings.initialWindowBytes;
    return shrinks;
  }

  /** What the connection's window still allows. */
  get left(): number {
    return this.window;
  }

  /** A DATA frame of that length began; false when the connection's window does not allow it. */
  take(length: number): boolean {
    this.window -= length;
    return this.window >= 0;
  }

  /** The stream's user has passed on that many bytes. */
  consume(stream: Http2Stream, bytes: number): void {
    this.giveBack(bytes);
    stream.unannounced += bytes;
    if (stream.isRemoteEnded || stream.unannounced * 2 < this.settings.initialWindowBytes) return;
    stream.receiveWindow += stream.unannounced;
    writeWindowUpdate(this.out(), stream.id, stream.unannounced);
    stream.unannounced = 0;
  }

  /** What the stream's user has not passed on, and now never will, counts against the connection no longer. */
  release(stream: Http2Stream): void {
    this.giveBack(this.initialWindow - stream.receiveWindow - stream.unannounced);
  }

  /** Bytes that came and are done with. */
  giveBack(bytes: number): void {
    this.unannounced += bytes;
    if (this.unannounced === 0 || this.unannounced * 2 < this.settings.connectionWindowBytes) return;
    this.window += this.unannounced;
    writeWindowUpdate(this.out(), 0, this.unannounced);
    this.unannounced = 0;
  }
}
