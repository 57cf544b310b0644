// HPACK, sending side: names and values → header blocks. The dynamic table is filled once with what repeats and then left as it is,
// so that an index, once known, stays right and encoded blocks can be reused.

import type { ByteWriter } from '@weft/lib/bytes';
import { entryOverhead } from './decoder.ts';
import { encodeHuffman, huffmanLength } from './huffman.ts';
import { staticByField, staticByName, staticSize } from './static-table.ts';

// Values that differ from message to message would only push out those that repeat.
const neverIndexed: ReadonlySet<string> = new Set([
  ':path',
  'age',
  'content-length',
  'content-range',
  'cookie',
  'date',
  'etag',
  'expires',
  'grpc-timeout',
  'if-modified-since',
  'if-none-match',
  'last-modified',
  'location',
  'set-cookie',
  'traceparent',
  'tracestate',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-envoy-upstream-service-time',
  'x-request-id',
]);
/** Never stored in a table by anyone on the way (RFC 7541 §7.1.3). */
const secret: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization']);
const indexedValueMax = 256;
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

export class HpackEncoder {
  /** Rises with every change of the table. */
  generation = 0;
  private readonly fields: Map<string, number> = new Map();
  private readonly namesSeen: Map<string, number> = new Map();
  private inserted = 0;
  private tableBytes = 0;
  private tableMax = 4096;
  private announcesSize = false;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; ours is never larger than 4,096. */
  setPeerTableSize(size: number): void {
    const max = Math.min(4096, size);
    if (max === this.tableMax) return;
    this.tableMax = max;
    this.announcesSize = true;
    this.fields.clear();
    this.namesSeen.clear();
    this.inserted = 0;
    this.tableBytes = 0;
    this.generation++;
  }

  /** Call before the first field of each block. */
  begin(out: ByteWriter): void {
    if (!this.announcesSize) return;
    this.announcesSize = false;
    // Down to nothing and up again: the peer's table is empty then, as ours is.
    writeInteger(out, 0, 5, 0x20);
    if (this.tableMax > 0) writeInteger(out, this.tableMax, 5, 0x20);
  }

  field(out: ByteWriter, name: string, value: string): void {
    const key = `${name}\0${value}`;
    const fixed = staticByField.get(key);
    if (fixed !== undefined) {
      writeInteger(out, fixed, 7, 0x80);
      return;
    }
    const known = this.fields.get(key);
    if (known !== undefined) {
      writeInteger(out, this.indexOf(known), 7, 0x80);
      return;
    }
    this.literal(out, name, value, key);
  }

  private indexOf(position: number): number {
    return staticSize + this.inserted - position;
  }

  private literal(out: ByteWriter, name: string, value: string, key: string): void {
    const nameIndex = this.nameIndex(name);
    const size = name.length + value.length + entryOverhead;
    const isSecret = secret.has(name);
    const isStored =
      !isSecret &&
      !neverIndexed.has(name) &&
      value.length <= indexedValueMax &&
      this.tableBytes + size <= this.tableMax;
    if (isStored) writeInteger(out, nameIndex, 6, 0x40);
    else writeInteger(out, nameIndex, 4, isSecret ? 0x10 : 0x00);
    if (nameIndex === 0) writeString(out, name);
    writeString(out, value);
    if (!isStored) return;
    this.generation++;
    this.tableBytes += size;
    this.fields.set(key, this.inserted);
    if (!this.namesSeen.has(name)) this.namesSeen.set(name, this.inserted);
    this.inserted++;
  }

  private nameIndex(name: string): number {
    const fixed = staticByName.get(name);
    if (fixed !== undefined) return fixed;
    const position = this.namesSeen.get(name);
    return position === undefined ? 0 : this.indexOf(position);
  }
}

/** RFC 7541 §5.1 */
function writeInteger(out: ByteWriter, value: number, prefixBits: number, flags: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    out.byte(flags | value);
    return;
  }
  out.byte(flags | mask);
  let rest = value - mask;
  while (rest >= 128) {
    out.byte((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.byte(rest);
}

function writeString(out: ByteWriter, text: string): void {
  const length = huffmanLength(text);
  if (length < text.length && length <= scratch.length) {
    writeInteger(out, length, 7, 0x80);
    encodeHuffman(text, scratch, 0);
    out.append(scratch, 0, length);
    return;
  }
  writeInteger(out, text.length, 7, 0);
  out.latin1(text);
}
