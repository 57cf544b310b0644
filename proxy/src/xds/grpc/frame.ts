// gRPC's framing of messages on a stream: one flag byte, four bytes of length, the message.

const headSize = 5;

/** A message with its frame, not compressed. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headSize + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, headSize);
  return framed;
}

/** Why a stream of frames cannot be read on. */
export type FrameProblem = 'compressed' | 'too-large';

/**
 * Puts messages together again from chunks of any size. Chunks are kept as they are until a message is whole, so that a large one
 * is copied once; no memory is set aside for a length that is only announced.
 */
export class FrameReader {
  private readonly limitBytes: number;
  private chunks: Buffer[] = [];
  private size = 0;
  /** Bytes of the message being awaited, or -1 while its head is not complete. */
  private awaited = -1;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Whether a message has begun and not ended. */
  get isPartial(): boolean {
    return this.size > 0 || this.awaited >= 0;
  }

  /** Takes a chunk and hands on every message that is whole; a problem ends the stream. */
  push(chunk: Buffer, onMessage: (message: Buffer) => void): FrameProblem | null {
    this.chunks.push(chunk);
    this.size += chunk.length;
    for (;;) {
      if (this.awaited < 0) {
        if (this.size < headSize) return null;
        const head = this.take(headSize);
        if (head[0] !== 0) return 'compressed';
        this.awaited = head.readUInt32BE(1);
        if (this.awaited > this.limitBytes) return 'too-large';
      }
      if (this.size < this.awaited) return null;
      const message = this.take(this.awaited);
      this.awaited = -1;
      onMessage(message);
    }
  }

  /** The first bytes, as memory of their own when they span chunks. */
  private take(length: number): Buffer {
    this.size -= length;
    const first = this.chunks[0];
    if (first !== undefined && first.length > length) {
      this.chunks[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const chunk = this.chunks.shift();
      if (chunk === undefined) break;
      if (chunk.length > missing) this.chunks.unshift(chunk.subarray(missing));
      parts.push(chunk.length > missing ? chunk.subarray(0, missing) : chunk);
      missing -= Math.min(missing, chunk.length);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }
}
