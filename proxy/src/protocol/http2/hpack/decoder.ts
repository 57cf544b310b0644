// HPACK, receiving side (RFC 7541): header blocks -> names and values, with the dynamic table that the peer's encoder drives.

import { latin1Text } from '@weft/lib/bytes';
import { decodeHuffman, OVERFLOW } from './huffman.ts';
import { staticNames, staticSize, staticValues } from './static-table.ts';

/** Each entry counts 32 bytes besides its text (RFC 7541 §4.1). */
export const entryOverhead = 32;
/** The table's size until SETTINGS say otherwise. */
export const defaultTableBytes = 4096;

/** The result of a block: its fields, or why there is none. */
export const OK = 0;
export const MALFORMED = 1;
/** Decoded to its end so that the table stays in step, but the fields are more than allowed. */
export const TOO_LARGE = 2;
/** So many that nobody means them: given up in the middle, and the table with it. */
export const FLOOD = 3;
export type BlockResult = typeof OK | typeof MALFORMED | typeof TOO_LARGE | typeof FLOOD;

/** That many times the limits are still decoded, for the table's sake: what one byte can stand for is not bounded by the block. */
const floodFactor = 4;

// Decoding is one synchronous step, so all connections share the room for decoded text.
let scratch = Buffer.allocUnsafeSlow(16 * 1024);

export class HpackDecoder {
  /** Fields of the last block. */
  readonly names: string[] = [];
  readonly values: string[] = [];
  /** Size of the last block once decoded, each field with its overhead. */
  listBytes = 0;
  /** Rises with every change of the table: equal bytes mean equal fields only within one generation. */
  generation = 0;
  // A queue: entries enter at the end; `first` is the oldest that is still in force.
  private tableNames: string[] = [];
  private tableValues: string[] = [];
  private first = 0;
  private tableBytes = 0;
  private tableMax = defaultTableBytes;
  private allowedMax: number;
  private readonly announcedMax: number;
  private readonly textMax: number;
  private mustShrink = false;
  private readonly listBytesMax: number;
  private readonly listCountMax: number;
  private at = 0;
  private isBroken = false;
  private isOversized = false;

  /** `tableMax` as announced in SETTINGS; the list limits are those of one block. */
  constructor(tableMax: number, listBytesMax: number, listCountMax: number) {
    this.announcedMax = tableMax;
    // What is smaller than the default holds from the peer's acknowledgement on.
    this.allowedMax = Math.max(tableMax, defaultTableBytes);
    this.textMax = Math.max(listBytesMax, this.allowedMax);
    this.listBytesMax = listBytesMax;
    this.listCountMax = listCountMax;
  }

  /** The peer has acknowledged our SETTINGS: its next block must bring a larger table down (RFC 7541 §4.2). */
  acknowledge(): void {
    this.allowedMax = this.announcedMax;
    this.mustShrink = this.tableMax > this.allowedMax;
  }

  /** Decodes a whole block into `names` and `values`. */
  decode(buffer: Buffer, start: number, end: number): BlockResult {
    const { names, values } = this;
    names.length = values.length = 0;
    this.at = start;
    this.isBroken = this.isOversized = false;
    this.listBytes = 0;
    let bytes = 0;
    let count = 0;
    let result: BlockResult = OK;
    let mayResize = true;
    while (this.at < end) {
      const byte = buffer[this.at] as number;
      if ((byte & 0xe0) === 0x20) {
        if (!mayResize || !this.resize(this.integer(buffer, end, 5))) return MALFORMED;
        continue;
      }
      if (this.mustShrink) return MALFORMED;
      mayResize = false;
      this.field(buffer, end, byte);
      if (this.isBroken) return MALFORMED;
      const last = names.length - 1;
      bytes += (names[last] as string).length + (values[last] as string).length + entryOverhead;
      count++;
      if (bytes > this.listBytesMax || this.isOversized || count > this.listCountMax) {
        names.length = values.length = 0;
        if (bytes > this.listBytesMax * floodFactor || count > this.listCountMax * floodFactor) return FLOOD;
        result = TOO_LARGE;
      }
    }
    this.listBytes = bytes;
    return result;
  }

  /** The fields were read: they need not stay until the next block comes. */
  forgetFields(): void {
    this.names.length = this.values.length = 0;
  }

  private field(buffer: Buffer, end: number, byte: number): void {
    if ((byte & 0x80) !== 0) {
      const index = this.integer(buffer, end, 7);
      this.push(this.nameAt(index), this.valueAt(index));
      return;
    }
    const isIndexed = (byte & 0x40) !== 0;
    const index = this.integer(buffer, end, isIndexed ? 6 : 4);
    const name = index === 0 ? this.string(buffer, end) : this.nameAt(index);
    const value = this.string(buffer, end);
    if (this.isBroken) return;
    this.push(name, value);
    if (isIndexed) this.insert(name, value);
  }

  private push(name: string, value: string): void {
    this.names.push(name);
    this.values.push(value);
  }

  private nameAt(index: number): string {
    if (index > 0 && index <= staticSize) return staticNames[index] as string;
    const at = this.tableNames.length - (index - staticSize);
    if (index !== 0 && at >= this.first) return this.tableNames[at] as string;
    this.isBroken = true;
    return '';
  }

  private valueAt(index: number): string {
    if (index <= staticSize) return staticValues[index] as string;
    return this.tableValues[this.tableNames.length - (index - staticSize)] ?? '';
  }

  // RFC 7541 §5.1; anything above 2^28 is nonsense here.
  private integer(buffer: Buffer, end: number, prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = (buffer[this.at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= end) break;
      const byte = buffer[this.at++] as number;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.isBroken = true;
    return 0;
  }

  private string(buffer: Buffer, end: number): string {
    if (this.isBroken || this.at >= end) {
      this.isBroken = true;
      return '';
    }
    const isHuffman = ((buffer[this.at] as number) & 0x80) !== 0;
    const length = this.integer(buffer, end, 7);
    const start = this.at;
    if (this.isBroken || length > end - start) {
      this.isBroken = true;
      return '';
    }
    this.at = start + length;
    if (!isHuffman) return latin1Text(buffer, start, this.at);
    return this.huffman(buffer, start, this.at);
  }

  // The shortest code has 5 bits, so text is at most 8/5 of its code.
  private huffman(buffer: Buffer, start: number, end: number): string {
    if ((end - start) * 1.6 > scratch.length && scratch.length < this.textMax) {
      scratch = Buffer.allocUnsafeSlow(this.textMax);
    }
    const length = decodeHuffman(buffer, start, end, scratch);
    if (length >= 0) return latin1Text(scratch, 0, length);
    if (length === OVERFLOW) this.isOversized = true;
    else this.isBroken = true;
    return '';
  }

  private insert(name: string, value: string): void {
    // Text too long to decode is longer than any table: such an entry empties it.
    const size = this.isOversized ? Number.POSITIVE_INFINITY : name.length + value.length + entryOverhead;
    this.generation++;
    this.evict(this.tableMax - size);
    // An entry larger than the table empties it and is not kept (RFC 7541 §4.4).
    if (size > this.tableMax) return;
    this.tableNames.push(name);
    this.tableValues.push(value);
    this.tableBytes += size;
    if (this.first > 256) this.compact();
  }

  private evict(limit: number): void {
    while (this.tableBytes > limit && this.first < this.tableNames.length) {
      const name = this.tableNames[this.first] as string;
      const value = this.tableValues[this.first] as string;
      this.tableBytes -= name.length + value.length + entryOverhead;
      // What is out of force must not stay in memory: up to four kilobytes each, and there may be hundreds before `compact`.
      this.tableNames[this.first] = '';
      this.tableValues[this.first] = '';
      this.first++;
    }
  }

  private compact(): void {
    this.tableNames = this.tableNames.slice(this.first);
    this.tableValues = this.tableValues.slice(this.first);
    this.first = 0;
  }

  private resize(max: number): boolean {
    if (this.isBroken || max > this.allowedMax) return false;
    this.generation++;
    this.mustShrink = false;
    this.tableMax = max;
    this.evict(max);
    return true;
  }
}
