// Bytes and latin1 text: cutting text out of buffers, and an arena that encoders append to.

// Node's own fast paths below `toString` and `write`; present since Node 4, without an entry in its type definitions.
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
}

/** The bytes from `start` to `end`, each as the character of that number. */
export function latin1Text(buffer: Buffer, start: number, end: number): string {
  return (buffer as Latin1Buffer).latin1Slice(start, end);
}

/** Texts pass through it; memory of their own would be left to the next full collection. */
const passage: Latin1Buffer = Buffer.allocUnsafeSlow(16 * 1024) as Latin1Buffer;

/** The same latin1 text with characters of its own: keeping it does not keep alive a larger text that it was cut from. */
export function ownText(text: string): string {
  if (text.length > passage.length) return Buffer.from(text, 'latin1').toString('latin1');
  return passage.latin1Slice(0, passage.latin1Write(text, 0));
}

/** Up to this length, storing characters one by one is quicker than the call into Node that writes them all. */
const shortText = 24;

const noBuffer: Latin1Buffer = Buffer.alloc(0) as Latin1Buffer;

/** Growable bytes. `view` is valid until the next change; `take` hands the bytes over for good. */
export class ByteWriter {
  private buffer: Latin1Buffer;
  private position = 0;
  private readonly initialBytes: number;

  constructor(initialBytes = 4096) {
    this.initialBytes = initialBytes;
    this.buffer = Buffer.allocUnsafeSlow(initialBytes) as Latin1Buffer;
  }

  /** Bytes written since the last `reset` or `take`. */
  get length(): number {
    return this.position;
  }

  /** Bytes it can hold without growing. */
  get capacity(): number {
    return this.buffer.length;
  }

  /** Appends each character of `text` as one byte; characters above U+00FF must not occur. */
  latin1(text: string): void {
    const { length } = text;
    this.reserve(length);
    if (length > shortText) {
      this.position += this.buffer.latin1Write(text, this.position);
      return;
    }
    const { buffer } = this;
    let at = this.position;
    for (let i = 0; i < length; i++) buffer[at++] = text.charCodeAt(i);
    this.position = at;
  }

  /** Appends a copy of `length` bytes of `source`. */
  append(source: Buffer, offset: number, length: number): void {
    this.reserve(length);
    source.copy(this.buffer, this.position, offset, offset + length);
    this.position += length;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.position++] = value;
  }

  /** Makes room for that many more bytes. */
  reserve(length: number): void {
    const needed = this.position + length;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2, this.initialBytes)) as Latin1Buffer;
    this.buffer.copy(grown, 0, 0, this.position);
    this.buffer = grown;
  }

  /** What was written, without a copy: valid until the writer is used again. */
  view(): Buffer {
    return this.buffer.subarray(0, this.position);
  }

  /** Hands what was written over to the caller; the writer starts anew with other memory. */
  take(): Buffer {
    const taken = this.view();
    this.buffer = noBuffer;
    this.position = 0;
    return taken;
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.position = 0;
  }
}
