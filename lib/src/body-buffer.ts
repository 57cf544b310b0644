// Body bytes that must wait or may be needed again (a filter that thinks, a retry, a peer's window).

/** Memory comes in these two sizes, and larger where that is not enough ... */
const smallBytes = 16 * 1024;
const largeBytes = 128 * 1024;
/** ... and so many of each are kept for reuse, process-wide: a window that runs dry again and again would else make garbage each time. */
const smallKept = 64;
const largeKept = 32;

const freeSmall: Buffer[] = [];
const freeLarge: Buffer[] = [];
const noMemory: Buffer = Buffer.alloc(0);

function takeMemory(bytes: number): Buffer {
  if (bytes <= smallBytes) return freeSmall.pop() ?? Buffer.allocUnsafeSlow(smallBytes);
  if (bytes <= largeBytes) return freeLarge.pop() ?? Buffer.allocUnsafeSlow(largeBytes);
  return Buffer.allocUnsafeSlow(bytes);
}

function giveMemory(memory: Buffer): void {
  if (memory.length === smallBytes && freeSmall.length < smallKept) freeSmall.push(memory);
  else if (memory.length === largeBytes && freeLarge.length < largeKept) freeLarge.push(memory);
}

/** Grows by doubling; the owner bounds it. What was taken from the front is left where it is, so taking costs nothing. */
export class BodyBuffer {
  private bytes: Buffer = noMemory;
  private end = 0;
  /** Where the bytes that are left begin in `buffer`. */
  start = 0;

  /** Valid until the next call of `append` or `take`. */
  get buffer(): Buffer {
    return this.bytes;
  }

  /** Bytes left. */
  get length(): number {
    return this.end - this.start;
  }

  append(buffer: Buffer, offset: number, length: number): void {
    if (this.end + length > this.bytes.length) this.makeRoom(length);
    buffer.copy(this.bytes, this.end, offset, offset + length);
    this.end += length;
  }

  // Moves what is left to the front, into a larger buffer where that is not enough.
  private makeRoom(length: number): void {
    const left = this.length;
    const { bytes } = this;
    const isEnough = left + length <= bytes.length;
    const target = isEnough ? bytes : takeMemory(Math.max(left + length, bytes.length * 2));
    bytes.copy(target, 0, this.start, this.end);
    if (!isEnough) giveMemory(bytes);
    this.bytes = target;
    this.start = 0;
    this.end = left;
  }

  /** Forgets that many bytes at the front; with the last of them the memory is given back. */
  take(length: number): void {
    this.start += length;
    if (this.start < this.end) return;
    giveMemory(this.bytes);
    this.bytes = noMemory;
    this.start = this.end = 0;
  }
}
