// Bytes -> frames: finds where each begins, hands DATA on as it comes and every other frame whole.

import { type Http2Error, http2Error } from '../error.ts';
import { DATA, headBytes, PADDED } from './frame.ts';

/** What the frame at hand says of itself. */
export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
}

/** Receives frames. An error ends the connection. */
export interface FrameSink {
  /** A frame begins. For DATA, `payload` events follow; for others `onFrame`. */
  onFrameHead(type: number, flags: number, id: number, length: number): Http2Error | null;
  /** Part of a DATA frame's content, padding taken away; `isLast` with its end. */
  onDataPart(buffer: Buffer, offset: number, length: number, isLast: boolean): Http2Error | null;
  /** Behind a DATA frame: the sink may take whole frames at `start` itself, and returns the offset behind them. */
  onDataEnd(buffer: Buffer, start: number, end: number): number;
  /** Any other frame, whole. */
  onFrame(frame: FrameHead, payload: Buffer, start: number, end: number): Http2Error | null;
}

// Where in a frame we are.
const HEAD = 0;
const PAYLOAD = 1;
const DATA_PAD_LENGTH = 2;
const DATA_CONTENT = 3;
const DATA_PADDING = 4;

/** 64 bytes of frames that the sink takes itself cost less than one frame by the long way. */
const strideBits = 6;

const noBytes: Buffer = Buffer.alloc(0);

export class FrameReader implements FrameHead {
  maxFrameBytes: number;
  /** That began in the last read. */
  frames = 0;
  private readonly sink: FrameSink;
  private state = HEAD;
  type = 0;
  flags = 0;
  id = 0;
  /** Bytes of the frame, or of the part at hand, still to come. */
  private left = 0;
  private padding = 0;
  private held: Buffer = noBytes;
  private heldLength = 0;
  private readonly head = Buffer.allocUnsafeSlow(headBytes);
  private headLength = 0;
  private error: Http2Error | null = null;

  constructor(maxFrameBytes: number, sink: FrameSink) {
    this.maxFrameBytes = maxFrameBytes;
    this.sink = sink;
  }

  /** Whether a frame other than DATA has begun and not ended. */
  get isInsideFrame(): boolean {
    return this.state === PAYLOAD || this.headLength > 0;
  }

  /** Reads everything from `start` to `end`; the error that ended it, or null. */
  read(buffer: Buffer, start: number, end: number): Http2Error | null {
    this.frames = 0;
    let at = start;
    while (at < end || (this.state !== HEAD && this.left === 0)) {
      const next = this.step(buffer, at, end);
      if (next < 0) return this.error;
      at = next;
    }
    return null;
  }

  private step(buffer: Buffer, at: number, end: number): number {
    switch (this.state) {
      case HEAD:
        return this.stepHead(buffer, at, end);
      case PAYLOAD:
        return this.stepPayload(buffer, at, end);
      case DATA_PAD_LENGTH:
        return this.stepPadLength(buffer, at);
      case DATA_CONTENT:
        return this.stepContent(buffer, at, end);
      default:
        return this.stepPadding(at, end);
    }
  }

  private stepHead(buffer: Buffer, at: number, end: number): number {
    if (this.headLength === 0 && end - at >= headBytes) return this.begin(buffer, at) ? at + headBytes : -1;
    const taken = Math.min(headBytes - this.headLength, end - at);
    buffer.copy(this.head, this.headLength, at, at + taken);
    this.headLength += taken;
    if (this.headLength < headBytes) return at + taken;
    this.headLength = 0;
    return this.begin(this.head, 0) ? at + taken : -1;
  }

  private begin(buffer: Buffer, at: number): boolean {
    const length = buffer.readUIntBE(at, 3);
    this.type = buffer[at + 3] as number;
    this.flags = buffer[at + 4] as number;
    this.id = buffer.readUInt32BE(at + 5) & 0x7fffffff;
    if (length > this.maxFrameBytes) return this.failed(http2Error.frame_too_large);
    this.left = length;
    this.frames++;
    const error = this.sink.onFrameHead(this.type, this.flags, this.id, length);
    if (error !== null) return this.failed(error);
    if (this.type !== DATA) {
      this.state = PAYLOAD;
      return true;
    }
    this.padding = 0;
    const isPadded = (this.flags & PADDED) !== 0;
    if (isPadded && length === 0) return this.failed(http2Error.bad_frame_size);
    this.state = isPadded ? DATA_PAD_LENGTH : DATA_CONTENT;
    return true;
  }

  private failed(error: Http2Error): false {
    this.error = error;
    return false;
  }

  private stepPayload(buffer: Buffer, at: number, end: number): number {
    if (this.heldLength === 0 && end - at >= this.left) {
      const next = at + this.left;
      return this.tell(buffer, at, next) ? next : -1;
    }
    // At most one frame is held, and a frame has a limit.
    if (this.held.length < this.heldLength + this.left) this.grow(this.heldLength + this.left);
    const taken = Math.min(this.left, end - at);
    buffer.copy(this.held, this.heldLength, at, at + taken);
    this.heldLength += taken;
    this.left -= taken;
    if (this.left > 0) return at + taken;
    const length = this.heldLength;
    const payload = this.held;
    this.heldLength = 0;
    this.held = noBytes;
    return this.tell(payload, 0, length) ? at + taken : -1;
  }

  private grow(size: number): void {
    const grown = Buffer.allocUnsafe(size);
    this.held.copy(grown, 0, 0, this.heldLength);
    this.held = grown;
  }

  private tell(payload: Buffer, start: number, end: number): boolean {
    this.state = HEAD;
    this.left = 0;
    const error = this.sink.onFrame(this, payload, start, end);
    return error === null || this.failed(error);
  }

  private stepPadLength(buffer: Buffer, at: number): number {
    this.padding = buffer[at] as number;
    this.left -= 1 + this.padding;
    if (this.left < 0) return this.failed(http2Error.bad_padding) ? 0 : -1;
    this.state = DATA_CONTENT;
    return at + 1;
  }

  private stepContent(buffer: Buffer, at: number, end: number): number {
    const taken = Math.min(this.left, end - at);
    this.left -= taken;
    const isLast = this.left === 0;
    if (isLast) {
      this.left = this.padding;
      this.state = this.padding > 0 ? DATA_PADDING : HEAD;
    }
    const error = this.sink.onDataPart(buffer, at, taken, isLast);
    if (error !== null) return this.failed(error) ? 0 : -1;
    return this.state === HEAD ? this.stepTiny(buffer, at + taken, end) : at + taken;
  }

  private stepTiny(buffer: Buffer, at: number, end: number): number {
    const next = this.sink.onDataEnd(buffer, at, end);
    this.frames += (next - at) >> strideBits;
    return next;
  }

  private stepPadding(at: number, end: number): number {
    const taken = Math.min(this.left, end - at);
    this.left -= taken;
    if (this.left === 0) this.state = HEAD;
    return at + taken;
  }
}
