// Puts header blocks together: HEADERS and the CONTINUATIONs behind it (RFC 9113 §6.2, §6.10).

import { ByteWriter } from '@weft/lib/bytes';
import { type Http2Error, http2Error } from '../error.ts';
import { CONTINUATION, END_HEADERS, END_STREAM, HAS_PRIORITY, maxWindow, PADDED } from './frame.ts';

const priorityBytes = 5;
const noBytes: Buffer = Buffer.alloc(0);

/** After `begin` or `append` returned null: a complete block when `isComplete`, else more is to come. */
export class HeaderBlockReader {
  isComplete = false;
  /** The stream of the block under way; 0 between blocks. */
  openId = 0;
  endsStream = false;
  /** The complete block, until `release` or the next frame. */
  buffer: Buffer = noBytes;
  start = 0;
  end = 0;
  private readonly framesMax: number;
  private readonly bytesMax: number;
  private frames = 0;
  private parts: ByteWriter | null = null;

  constructor(framesMax: number, bytesMax: number) {
    this.framesMax = framesMax;
    this.bytesMax = bytesMax;
  }

  /** Whether only CONTINUATION of the block under way may follow, and something else does. */
  isBrokenBy(type: number, id: number): boolean {
    return this.openId !== 0 && (type !== CONTINUATION || id !== this.openId);
  }

  /** A HEADERS frame. */
  begin(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    let from = start;
    let to = end;
    if ((flags & PADDED) !== 0) {
      if (from >= to) return http2Error.bad_frame_size;
      to -= payload[from++] as number;
    }
    if (from > to) return http2Error.bad_padding;
    if ((flags & HAS_PRIORITY) !== 0) {
      if (to - from < priorityBytes) return http2Error.bad_frame_size;
      if ((payload.readUInt32BE(from) & maxWindow) === id) return http2Error.self_dependency;
      from += priorityBytes;
    }
    this.endsStream = (flags & END_STREAM) !== 0;
    this.isComplete = (flags & END_HEADERS) !== 0;
    if (this.isComplete) {
      this.set(payload, from, to);
      return null;
    }
    this.openId = id;
    this.frames = 0;
    this.parts = new ByteWriter(Math.max(1024, to - from));
    this.parts.append(payload, from, to - from);
    return null;
  }

  /** A CONTINUATION frame of the open block. */
  append(flags: number, payload: Buffer, start: number, end: number): Http2Error | null {
    const { parts } = this;
    if (parts === null) return http2Error.unexpected_continuation;
    if (++this.frames > this.framesMax || parts.length + end - start > this.bytesMax) {
      return http2Error.header_block_flood;
    }
    parts.append(payload, start, end - start);
    this.isComplete = (flags & END_HEADERS) !== 0;
    if (!this.isComplete) return null;
    const whole = parts.take();
    this.parts = null;
    this.openId = 0;
    this.set(whole, 0, whole.length);
    return null;
  }

  /** The complete block was read: its bytes need not stay until the next one comes. */
  release(): void {
    this.buffer = noBytes;
  }

  private set(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
  }
}
