// Reads protobuf's wire primitives from a buffer, never past the limit of the message being read.
import { isUtf8 } from 'node:buffer';
import { WIRE_32, WIRE_64, WIRE_BYTES, WIRE_GROUP_END, WIRE_GROUP_START, WIRE_VARINT } from './schema.ts';

/** A malformed primitive; the decoder turns it into a ProtobufError with type and path. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(problem);
    this.offset = offset;
  }
}

const maxFieldNumber = 536870911;

/** A cursor over bytes. `limit` is the end of the innermost message; `low` and `high` hold the last varint. */
export class WireReader {
  readonly bytes: Buffer;
  position = 0;
  limit: number;
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.limit = bytes.byteLength;
  }

  /** Reads a varint into `low` and `high`. Bits beyond 64 are dropped, as everywhere; more than ten bytes are an error. */
  readVarint(): void {
    const start = this.position;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= this.limit) throw new WireError('the bytes end inside a varint', start);
      const byte = this.bytes[this.position++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >> 4;
      } else if (shift < 64) high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.low = low;
        this.high = high;
        return;
      }
    }
    throw new WireError('a varint has more than ten bytes', start);
  }

  /** Field number and wire type as one number; both are checked. */
  readTag(): number {
    const start = this.position;
    this.readVarint();
    const tag = this.low >>> 0;
    if (this.high !== 0) throw new WireError('a field number is too large', start);
    if (tag >>> 3 === 0 || tag >>> 3 > maxFieldNumber)
      throw new WireError(`field number ${tag >>> 3} is not allowed`, start);
    return tag;
  }

  /** A length prefix, checked against the limit. */
  readLength(): number {
    const start = this.position;
    this.readVarint();
    const length = this.low >>> 0;
    const left = this.limit - this.position;
    if (this.high !== 0 || length > left) {
      throw new WireError(`a length runs past the end (${left} bytes are left)`, start);
    }
    return length;
  }

  /** Moves over a fixed number of bytes and gives where they start. */
  take(length: number): number {
    const start = this.position;
    if (length > this.limit - start) throw new WireError(`the bytes end inside a ${length}-byte value`, start);
    this.position = start + length;
    return start;
  }

  readString(): string {
    const length = this.readLength();
    const start = this.take(length);
    const text = this.bytes.toString('utf8', start, start + length);
    // The replacement character is rare, so that most strings are checked by looking for it only.
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(start, start + length))) {
      throw new WireError('a string is not valid UTF-8', start);
    }
    return text;
  }

  /** A view, not a copy. */
  readBytes(): Uint8Array {
    const length = this.readLength();
    const start = this.take(length);
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, length);
  }

  /** Moves over the value of an unknown field. Groups nest, hence `depth`. */
  skip(tag: number, depth: number): void {
    switch (tag & 7) {
      case WIRE_VARINT:
        this.readVarint();
        return;
      case WIRE_64:
        this.take(8);
        return;
      case WIRE_BYTES:
        this.take(this.readLength());
        return;
      case WIRE_32:
        this.take(4);
        return;
      case WIRE_GROUP_START:
        this.skipGroup(tag >>> 3, depth);
        return;
      default:
        throw new WireError(
          (tag & 7) === WIRE_GROUP_END ? 'a group ends that did not start' : `wire type ${tag & 7} does not exist`,
          this.position,
        );
    }
  }

  private skipGroup(number: number, depth: number): void {
    if (depth <= 0) throw new WireError('groups are nested too deep', this.position);
    for (;;) {
      const start = this.position;
      const tag = this.readTag();
      if ((tag & 7) !== WIRE_GROUP_END) {
        this.skip(tag, depth - 1);
        continue;
      }
      if (tag >>> 3 !== number) throw new WireError('a group ends with the number of another', start);
      return;
    }
  }
}
