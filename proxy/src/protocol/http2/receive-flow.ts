// Flow control towards us (RFC 9113 §5.2): what the peer may still send, and when it is told that it may send more.
//
// A window is opened again in halves: smaller steps would cost a frame for each chunk, larger ones would let the sender run dry.

import type { ByteWriter } from '@weft/lib/bytes';
import { writeWindowUpdate } from './frame/frame.ts';
import type { Http2Role } from './open-streams.ts';
import type { Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';

/** What holds until the peer has acknowledged our SETTINGS. */
export const protocolWindow = 65_535;

// What users of streams hold back does not count against the window of their connection, up to a bound: else a few who read slowly
// would hold up everybody who shares a connection with them.
const heldMax = 32 * 1024 * 1024;

export class HeldBytes {
  /** Held at present. */
  bytes = 0;
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** False when so much is held already. */
  take(bytes: number): boolean {
    if (this.bytes + bytes > this.max) return false;
    this.bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** Of all connections of the thread. Clients cannot use up what endpoints' streams may hold, nor the other way round. */
export const heldBytes: Readonly<Record<Http2Role, HeldBytes>> = {
  server: new HeldBytes(heldMax),
  client: new HeldBytes(heldMax),
};

/** For connections whose window counts all. */
export const noneHeld: HeldBytes = new HeldBytes(0);

/** The connection's window and those of its streams. */
export class ReceiveFlow {
  /** What a new stream may send. */
  initialWindow: number;
  private readonly settings: Http2Settings;
  private readonly out: () => ByteWriter;
  private readonly held: HeldBytes;
  private window = protocolWindow;
  private unannounced = 0;

  constructor(settings: Http2Settings, out: () => ByteWriter, held: HeldBytes) {
    this.settings = settings;
    this.out = out;
    this.held = held;
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

  /** Most of the connection's window is used up by what users of streams hold back. */
  get isHeldUp(): boolean {
    const { connectionWindowBytes } = this.settings;
    return (connectionWindowBytes - this.window - this.unannounced) * 2 > connectionWindowBytes;
  }

  /** A DATA frame of that length began; false when the connection's window does not allow it. */
  take(length: number): boolean {
    this.window -= length;
    return this.window >= 0;
  }

  /** The stream's user has passed on that many bytes. */
  consume(stream: Http2Stream, bytes: number): void {
    const held = Math.min(bytes, stream.heldBytes);
    stream.heldBytes -= held;
    this.held.giveBack(held);
    this.giveBack(bytes - held);
    stream.unannounced += bytes;
    if (stream.isRemoteEnded || stream.unannounced * 2 < this.settings.initialWindowBytes) return;
    stream.receiveWindow += stream.unannounced;
    writeWindowUpdate(this.out(), stream.id, stream.unannounced);
    stream.unannounced = 0;
  }

  /** The stream's user keeps that many bytes for now: the other streams need not wait for them. */
  hold(stream: Http2Stream, bytes: number): void {
    if (!this.held.take(bytes)) return;
    stream.heldBytes += bytes;
    this.giveBack(bytes);
  }

  /** Nobody holds bytes of that stream any more. */
  letGo(stream: Http2Stream): void {
    this.held.giveBack(stream.heldBytes);
    stream.heldBytes = 0;
  }

  /** What the stream's user has not passed on, and now never will, counts against the connection no longer. */
  release(stream: Http2Stream): void {
    this.giveBack(this.initialWindow - stream.receiveWindow - stream.unannounced - stream.heldBytes);
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
