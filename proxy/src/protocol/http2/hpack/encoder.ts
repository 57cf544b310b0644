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

/** Names known beyond those in the table; a peer that makes up names must not fill the memory. */
const knownNamesMax = 256;

/** All that is known of one name, so that a field costs two look-ups and no text of its own. */
class NameEntry {
  /** Of the static table, or 0. */
  readonly staticIndex: number;
  /** Where in the dynamic table the name stands first, or -1. */
  position = -1;
  readonly isVarying: boolean;
  readonly isSecret: boolean;
  /** By value: an index of the static table, or -1 - position in the dynamic one. Null while there is none. */
  values: Map<string, number> | null;

  constructor(name: string) {
    this.staticIndex = staticByName.get(name) ?? 0;
    this.isVarying = neverIndexed.has(name);
    this.isSecret = secret.has(name);
    this.values = staticValuesOf(name);
  }
}

function staticValuesOf(name: string): Map<string, number> | null {
  const known = staticByField.get(name);
  return known === undefined ? null : new Map(known);
}

export class HpackEncoder {
  /** Rises with every change of the table. */
  generation = 0;
  private readonly names: Map<string, NameEntry> = new Map();
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
    this.names.clear();
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
    const entry = this.names.get(name) ?? this.learn(name);
    const known = entry.values === null ? undefined : entry.values.get(value);
    if (known === undefined) this.literal(out, entry, name, value);
    else writeInteger(out, known > 0 ? known : this.indexOf(-1 - known), 7, 0x80);
  }

  private learn(name: string): NameEntry {
    const entry = new NameEntry(name);
    if (this.names.size < knownNamesMax) this.names.set(name, entry);
    return entry;
  }

  private indexOf(position: number): number {
    return staticSize + this.inserted - position;
  }

  private literal(out: ByteWriter, entry: NameEntry, name: string, value: string): void {
    const nameIndex = entry.staticIndex > 0 ? entry.staticIndex : entry.position < 0 ? 0 : this.indexOf(entry.position);
    const isStored = this.isWorthStoring(entry, nameIndex, name, value);
    if (isStored) writeInteger(out, nameIndex, 6, 0x40);
    else writeInteger(out, nameIndex, 4, entry.isSecret ? 0x10 : 0x00);
    if (nameIndex === 0) writeString(out, name);
    // What differs each time would be compressed each time: a few bytes saved for more time than all the rest takes.
    if (isStored) writeString(out, value);
    else writePlain(out, value);
    if (isStored) this.store(entry, name, value);
  }

  // A name whose values vary is stored once, for its name.
  private isWorthStoring(entry: NameEntry, nameIndex: number, name: string, value: string): boolean {
    if (entry.isSecret || value.length > indexedValueMax || (entry.isVarying && nameIndex > 0)) return false;
    return this.tableBytes + name.length + value.length + entryOverhead <= this.tableMax && this.names.has(name);
  }

  private store(entry: NameEntry, name: string, value: string): void {
    this.generation++;
    this.tableBytes += name.length + value.length + entryOverhead;
    entry.values ??= new Map();
    entry.values.set(value, -1 - this.inserted);
    if (entry.position < 0) entry.position = this.inserted;
    this.inserted++;
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
  writePlain(out, text);
}

function writePlain(out: ByteWriter, text: string): void {
  writeInteger(out, text.length, 7, 0);
  out.latin1(text);
}
