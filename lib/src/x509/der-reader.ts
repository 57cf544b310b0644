// Reads DER (X.690) as a cursor over nested elements; strict about definite lengths, so that two readers cannot disagree.

import { X509Error } from './x509-error.ts';

/** Universal tags that certificates use, with the constructed bit where it always applies. */
export const DER = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_ID: 0x06,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  TELETEX_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  UNIVERSAL_STRING: 0x1c,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** One element: its tag, and where its content lies in the bytes that were given. */
export interface DerElement {
  readonly tag: number;
  /** Offset of the tag byte. */
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

/** Walks the elements between two offsets. */
export class DerReader {
  readonly bytes: Buffer;
  private offset: number;
  private readonly end: number;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.offset >= this.end;
  }

  /** The tag of the next element, or -1 at the end. */
  peekTag(): number {
    return this.atEnd ? -1 : (this.bytes[this.offset] as number);
  }

  /** Reads past the next element, which must have `tag` when one is given. */
  next(what: string, tag?: number): DerElement {
    const start = this.offset;
    if (start + 2 > this.end) throw new X509Error(`${what}: the data ends early`);
    const found = this.bytes[start] as number;
    if (tag !== undefined && found !== tag) throw new X509Error(`${what}: tag ${found} where ${tag} belongs`);
    const contentStart = this.skipLength(start + 1, what);
    const end = contentStart + this.lengthAt(start + 1, what);
    if (end > this.end) throw new X509Error(`${what}: longer than what encloses it`);
    this.offset = end;
    return { tag: found, start, contentStart, end };
  }

  /** A reader over the content of the next element. */
  enter(what: string, tag: number): DerReader {
    const element = this.next(what, tag);
    return new DerReader(this.bytes, element.contentStart, element.end);
  }

  /** The content of an element, without a copy. */
  content(element: DerElement): Buffer {
    return this.bytes.subarray(element.contentStart, element.end);
  }

  private skipLength(at: number, what: string): number {
    const first = this.bytes[at] as number;
    if (first < 0x80) return at + 1;
    const count = first & 0x7f;
    // Zero is the indefinite form, which DER forbids; five bytes or more would be a certificate of gigabytes.
    if (count === 0 || count > 4 || at + 1 + count > this.end) throw new X509Error(`${what}: bad length`);
    return at + 1 + count;
  }

  private lengthAt(at: number, what: string): number {
    const first = this.bytes[at] as number;
    if (first < 0x80) return first;
    const length = this.bytes.readUIntBE(at + 1, first & 0x7f);
    if (length < 0x80) throw new X509Error(`${what}: the length is not in its shortest form`);
    return length;
  }
}

/** Dotted text of an object identifier's content bytes. */
export function formatObjectId(content: Buffer): string {
  if (content.length === 0) throw new X509Error('object identifier: empty');
  const arcs: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new X509Error('object identifier: arc too large');
    if ((byte & 0x80) !== 0) continue;
    arcs.push(value);
    value = 0;
  }
  const first = arcs[0] ?? 0;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...arcs.slice(1)].join('.');
}
