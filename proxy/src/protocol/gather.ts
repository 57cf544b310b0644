// Puts small pieces of one body together within one read: a body in pieces of a byte would otherwise cost a whole way through the
// proxy, and a piece on the wire behind it, for each of them.

/** Pieces from here on are passed on as they are. */
export const smallBytes = 512;
/** So many small pieces in a row are passed on as they come; only longer rows are put together. */
const freePieces = 4;
const roomBytes = 8192;
/** Up to here a loop is quicker than a call. */
const loopBytes = 16;

const nothing: Buffer = Buffer.alloc(0);

export class Gather {
  /** What is put together, from its start; valid until the next `take`. */
  buffer: Buffer = nothing;
  length = 0;
  private row = 0;
  /** Something was put together since this was last unset. */
  wasUsed = false;

  /** Takes a piece in, or leaves it: then what is here goes first, and the piece behind it. */
  take(buffer: Buffer, offset: number, length: number): boolean {
    if (length >= smallBytes) {
      this.row = 0;
      return false;
    }
    if (this.row < freePieces) {
      this.row++;
      return false;
    }
    if (this.length + length > roomBytes) return false;
    if (this.buffer.length === 0) this.buffer = Buffer.allocUnsafeSlow(roomBytes);
    if (length > loopBytes) buffer.copy(this.buffer, this.length, offset, offset + length);
    else for (let i = 0; i < length; i++) this.buffer[this.length + i] = buffer[offset + i] as number;
    this.length += length;
    this.wasUsed = true;
    return true;
  }

  /** While pieces come in a long row: room for those that the caller copies in behind `length` itself, else 0. */
  get room(): number {
    return this.length === 0 ? 0 : roomBytes - this.length;
  }

  /** The read, or the body, is over: nothing is kept. */
  clear(): void {
    this.row = 0;
    this.length = 0;
    this.buffer = nothing;
  }
}
