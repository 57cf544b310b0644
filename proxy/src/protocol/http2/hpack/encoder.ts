// HPACK, sending side: names and values -> header blocks. What repeats enters the dynamic table until it is full, and nothing leaves it,
// so that an index, once known, stays right and encoded blocks can be reused.

import type { ByteWriter } from '@weft/lib/bytes';
import { defaultTableBytes, entryOverhead } from './decoder.ts';
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

const MAY_STORE = 0;
const NO_STORE = 1;
const SECRET = 2;
type Storing = typeof MAY_STORE | typeof NO_STORE | typeof SECRET;

/** What is known of a name before any message. */
interface FixedName {
  /** Its first index in the static table; 0 when it is not there. */
  readonly index: number;
  /** The static table's entries of that name, at most seven; null when it is not there. */
  readonly values: readonly (readonly [value: string, index: number])[] | null;
  readonly storing: Storing;
}

/** The dynamic table's entries of one name, by their number since the table began. */
interface StoredName {
  readonly first: number;
  readonly values: Map<string, number>;
}

function collectFixedNames(): ReadonlyMap<string, FixedName> {
  const fixed = new Map<string, FixedName>();
  for (const name of new Set([...staticByName.keys(), ...neverIndexed, ...secret])) {
    const storing = secret.has(name) ? SECRET : neverIndexed.has(name) ? NO_STORE : MAY_STORE;
    fixed.set(name, { index: staticByName.get(name) ?? 0, values: fixedValues(name), storing });
  }
  return fixed;
}

function fixedValues(name: string): FixedName['values'] {
  const values = staticByField.get(name);
  return values === undefined ? null : [...values];
}

const fixedNames: ReadonlyMap<string, FixedName> = collectFixedNames();

const indexedValueMax = 256;
/** Fields that came once; a field among them that comes again is worth an entry. */
const rememberedFields = 64;
/** After so many fields without a new entry, only one in some is looked at. */
const patience = 512;
const sampleMask = 15;
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

export class HpackEncoder {
  /** Rises with every change of the table. */
  generation = 0;
  private readonly stored: Map<string, StoredName> = new Map();
  private readonly cameOnce: Set<string> = new Set();
  private sinceStored = 0;
  private inserted = 0;
  private tableBytes = 0;
  private tableMax = defaultTableBytes;
  private announcesSize = false;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; ours is never larger than 4,096. */
  setPeerTableSize(size: number): void {
    const max = Math.min(defaultTableBytes, size);
    if (max === this.tableMax) return;
    this.tableMax = max;
    this.announcesSize = true;
    this.stored.clear();
    this.cameOnce.clear();
    this.sinceStored = 0;
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
    const fixed = fixedNames.get(name);
    const storing = fixed === undefined ? MAY_STORE : fixed.storing;
    if (fixed !== undefined && fixed.values !== null) {
      for (const entry of fixed.values) {
        if (entry[0] !== value) continue;
        out.byte(0x80 | entry[1]);
        return;
      }
    }
    const stored = this.stored.get(name);
    // Looking a text up in a map makes V8 keep it until a full collection: not worth it where values differ each time.
    const position = stored === undefined || storing === NO_STORE ? undefined : stored.values.get(value);
    if (position !== undefined) {
      writeInteger(out, this.indexOf(position), 7, 0x80);
      return;
    }
    const nameIndex =
      fixed !== undefined && fixed.index > 0 ? fixed.index : stored === undefined ? 0 : this.indexOf(stored.first);
    if (this.isWorthStoring(storing, nameIndex, name, value)) {
      writeInteger(out, nameIndex, 6, 0x40);
      if (nameIndex === 0) writeText(out, name);
      writeText(out, value);
      this.store(name, value, stored);
      return;
    }
    writeInteger(out, nameIndex, 4, storing === SECRET ? 0x10 : 0x00);
    if (nameIndex === 0) writeText(out, name);
    // What differs each time would be compressed each time: a few bytes saved for more time than all the rest takes.
    writePlain(out, value);
  }

  private indexOf(position: number): number {
    return staticSize + this.inserted - position;
  }

  private isWorthStoring(storing: Storing, nameIndex: number, name: string, value: string): boolean {
    const size = name.length + value.length + entryOverhead;
    if (this.tableBytes + size > this.tableMax || value.length > indexedValueMax || storing === SECRET) return false;
    // A name whose values vary is stored once, for its name.
    if (storing === NO_STORE) return nameIndex === 0;
    if (++this.sinceStored > patience && (this.sinceStored & sampleMask) !== 0) return false;
    const key = `${name}\0${value}`;
    if (this.cameOnce.delete(key)) return true;
    if (this.cameOnce.size >= rememberedFields) this.cameOnce.clear();
    this.cameOnce.add(key);
    return false;
  }

  private store(name: string, value: string, stored: StoredName | undefined): void {
    this.generation++;
    this.sinceStored = 0;
    this.tableBytes += name.length + value.length + entryOverhead;
    if (stored === undefined)
      this.stored.set(name, { first: this.inserted, values: new Map([[value, this.inserted]]) });
    else stored.values.set(value, this.inserted);
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

function writeText(out: ByteWriter, text: string): void {
  const length = huffmanLength(text);
  if (length >= text.length || length > scratch.length) {
    writePlain(out, text);
    return;
  }
  writeInteger(out, length, 7, 0x80);
  encodeHuffman(text, scratch, 0);
  out.append(scratch, 0, length);
}

function writePlain(out: ByteWriter, text: string): void {
  writeInteger(out, text.length, 7, 0);
  out.latin1(text);
}
