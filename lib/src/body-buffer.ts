// Body bytes that must wait or may be needed again (a filter that thinks, a retry).

/** Grows by doubling; the owner bounds it. */
export class BodyBuffer {
  private bytes: Buffer = Buffer.allocUnsafe(0);
  length = 0;

  get buffer(): Buffer {
    return this.bytes;
  }

  append(buffer: Buffer, offset: number, length: number): void {
    const needed = this.length + length;
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    buffer.copy(this.bytes, this.length, offset, offset + length);
    this.length = needed;
  }
}
