// Writes protobuf's wire primitives from the end of a buffer towards its start: a message's length is known once its content is
// written, so that one pass is enough.

const firstSize = 1024;

/** Values are prepended: whatever comes last on the wire is written first. */
export class WireWriter {
  private buffer: Buffer = Buffer.allocUnsafe(firstSize);
  private start = firstSize;
  private marked = 0;

  /** Bytes written so far; the difference of two readings is the length of what came between. */
  get length(): number {
    return this.buffer.length - this.start;
  }

  /** What was written, as bytes of its own. */
  finish(): Uint8Array {
    const copy = new Uint8Array(this.length);
    copy.set(this.buffer.subarray(this.start));
    return copy;
  }

  /** Remembers this place for `undo`. */
  mark(): void {
    this.marked = this.length;
  }

  /** Takes back what was written since `mark`. */
  undo(): void {
    this.start = this.buffer.length - this.marked;
  }

  private reserve(size: number): number {
    if (size > this.start) this.grow(size);
    this.start -= size;
    return this.start;
  }

  private grow(size: number): void {
    const used = this.length;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, used + size));
    this.buffer.copy(larger, larger.length - used, this.start);
    this.buffer = larger;
    this.start = larger.length - used;
  }

  varint32(value: number): void {
    const bits = value >>> 0;
    const size = bits < 0x80 ? 1 : bits < 0x4000 ? 2 : bits < 0x200000 ? 3 : bits < 0x10000000 ? 4 : 5;
    let at = this.reserve(size);
    let rest = bits;
    while (rest >= 0x80) {
      this.buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[at] = rest;
  }

  /** A 64-bit varint given by its halves. */
  varint64(low: number, high: number): void {
    let lowBits = low >>> 0;
    let highBits = high >>> 0;
    if (highBits === 0) {
      this.varint32(lowBits);
      return;
    }
    const bytes: number[] = [];
    while (highBits !== 0 || lowBits >= 0x80) {
      bytes.push((lowBits & 0x7f) | 0x80);
      lowBits = ((lowBits >>> 7) | (highBits << 25)) >>> 0;
      highBits >>>= 7;
    }
    bytes.push(lowBits);
    this.raw(bytes);
  }

  fixed32(value: number): void {
    const at = this.reserve(4);
    this.buffer.writeInt32LE(value | 0, at);
  }

  fixed64(low: number, high: number): void {
    const at = this.reserve(8);
    this.buffer.writeInt32LE(low | 0, at);
    this.buffer.writeInt32LE(high | 0, at + 4);
  }

  float(value: number): void {
    const at = this.reserve(4);
    this.buffer.writeFloatLE(value, at);
  }

  double(value: number): void {
    const at = this.reserve(8);
    this.buffer.writeDoubleLE(value, at);
  }

  /** Bytes without a length. */
  raw(bytes: ArrayLike<number>): void {
    const at = this.reserve(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** Bytes with their length. */
  bytes(bytes: Uint8Array): void {
    this.raw(bytes);
    this.varint32(bytes.length);
  }

  /** UTF-8 with its length; lone surrogates become the replacement character. */
  string(text: string): void {
    const length = Buffer.byteLength(text, 'utf8');
    const at = this.reserve(length);
    this.buffer.write(text, at, length, 'utf8');
    this.varint32(length);
  }

  tag(fieldNumber: number, wireType: number): void {
    this.varint32((fieldNumber << 3) | wireType);
  }
}
