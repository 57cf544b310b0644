// Body bytes that must wait or may be needed again (a filter that thinks, a retry, a peer's window).

/** Grows by doubling; the owner bounds it. What was taken from the front is left where it is, so taking costs nothing. */
export class BodyBuffer {
  private bytes: Buffer = Buffer.allocUnsafe(0);
  private end = 0;
  /** Where the bytes that are left begin in `buffer`. */
  start = 0;

  get buffer(): Buffer {
    return this.bytes;
  }

  /** Bytes left. */
  get length(): number {
    return this.end - this.start;
  }

  append(buffer: Buffer, offset: number, length: number): void {
    if (this.end + length > this.bytes.length) this.makeRoom(length);
    buffer.copy(this.bytes, this.end, offset, offset + length);
    this.end += length;
  }

  // Moves what is left to the front, into a larger buffer where that is not enough.
  private makeRoom(length: number): void {
    const left = this.length;
    const isEnough = left + length <= this.bytes.length;
    const target = isEnough ? this.bytes : Buffer.allocUnsafe(Math.max(left + length, this.bytes.length * 2));
    this.bytes.copy(target, 0, this.start, this.end);
    this.bytes = target;
    this.start = 0;
    this.end = left;
  }

  /** Forgets that many bytes at the front. */
  take(length: number): void {
    this.start += length;
  }
}
