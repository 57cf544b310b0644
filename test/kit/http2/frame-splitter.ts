// Cuts a byte stream into HTTP/2 frames as it comes: for peers made for tests, with nothing of the proxy's frame layer in it.

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

const headBytes = 9;

/** Takes bytes, gives whole frames. */
export class FrameSplitter {
  private bytes: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
  }

  /** Takes away that many bytes, or null while there are fewer. */
  take(length: number): Buffer | null {
    if (this.bytes.length < length) return null;
    const taken = this.bytes.subarray(0, length);
    this.bytes = this.bytes.subarray(length);
    return taken;
  }

  /** The next whole frame, or null when it is not all there. */
  next(): Frame | null {
    const { bytes } = this;
    if (bytes.length < headBytes) return null;
    const end = headBytes + bytes.readUIntBE(0, 3);
    if (bytes.length < end) return null;
    this.bytes = bytes.subarray(end);
    const id = bytes.readUInt32BE(5) & 0x7fffffff;
    return { type: bytes[3] ?? 0, flags: bytes[4] ?? 0, id, payload: bytes.subarray(headBytes, end) };
  }

  /** Bytes that make no whole frame yet. */
  get rest(): number {
    return this.bytes.length;
  }
}

/** The content of a frame without its padding and, in HEADERS, its priority; null where the lengths do not fit. */
export function contentOf(frame: Frame): Buffer | null {
  const isPadded = (frame.flags & 0x8) !== 0;
  const padding = isPadded ? (frame.payload[0] ?? 0) : 0;
  const before = (isPadded ? 1 : 0) + (frame.type === 1 && (frame.flags & 0x20) !== 0 ? 5 : 0);
  if (frame.payload.length < before + padding) return null;
  return frame.payload.subarray(before, frame.payload.length - padding);
}
