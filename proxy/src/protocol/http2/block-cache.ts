// Header blocks that came before, by their bytes. A fixed number of places instead of a map: a block that is put where another lies
// takes its place, and nothing is left behind that would keep the other one alive.

const places = 64;
const blockBytesMax = 1024;
/** Blocks and what they stand for that one cache may hold: what an idle connection keeps. A byte may stand for four kilobytes. */
const heldBytesMax = 32 * 1024;

interface Entry<T> {
  readonly hash: number;
  readonly bytes: Buffer;
  readonly value: T;
  /** Of the block and the value. */
  readonly size: number;
}

/** `get` and then, for the same bytes, `put`. What is put is kept from the second time on: most of what comes once never comes again. */
export class BlockCache<T> {
  private entries: (Entry<T> | null)[] | null = null;
  /** For each place the hash of what was put there last, kept or not. */
  private seen: Int32Array | null = null;
  private heldBytes = 0;
  private hash = 0;

  /** Whether blocks of that length are kept at all. */
  takes(length: number): boolean {
    return length <= blockBytesMax;
  }

  get(buffer: Buffer, start: number, end: number): T | null {
    this.hash = hashOf(buffer, start, end);
    const entry = this.entries === null ? null : (this.entries[this.hash & (places - 1)] as Entry<T> | null);
    if (entry === null || entry.hash !== this.hash || !isSame(entry.bytes, buffer, start, end)) return null;
    return entry.value;
  }

  /** Keeps the value, which takes `valueBytes` of memory, for the bytes that `get` was last asked for, if they came before. */
  put(buffer: Buffer, start: number, end: number, value: T, valueBytes: number): void {
    const place = this.hash & (places - 1);
    this.seen ??= new Int32Array(places);
    if (this.seen[place] !== this.hash) {
      this.seen[place] = this.hash;
      return;
    }
    this.entries ??= new Array<Entry<T> | null>(places).fill(null);
    const size = end - start + valueBytes;
    const held = this.heldBytes + size - (this.entries[place]?.size ?? 0);
    if (held > heldBytesMax) return;
    this.heldBytes = held;
    this.entries[place] = { hash: this.hash, bytes: Buffer.from(buffer.subarray(start, end)), value, size };
  }

  clear(): void {
    this.entries?.fill(null);
    this.heldBytes = 0;
  }
}

function hashOf(buffer: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (buffer[i] as number)) | 0;
  // The last bytes differ most often; they shall reach every bit of the place.
  return hash ^ (hash >>> 15);
}

function isSame(bytes: Buffer, buffer: Buffer, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== buffer[start + i]) return false;
  return true;
}
