// The chunk lines of the chunked coding (RFC 9112 §7.1), byte by byte: sizes, extensions, and the CRLF after each chunk.
//
//   SIZE -> (EXTENSION ...) -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
//                                      -> LAST   (size 0: the trailer section follows)

import type { Gather } from '../gather.ts';
import { hexDigitValue } from '../hex-digit.ts';
import { type Http1Error, http1Error } from './error.ts';

const SIZE = 0;
const EXTENSION_NAME_START = 1;
const EXTENSION_NAME = 2;
const EXTENSION_VALUE_START = 3;
const EXTENSION_VALUE = 4;
const EXTENSION_QUOTED = 5;
const EXTENSION_ESCAPE = 6;
const EXTENSION_END = 7;
const SIZE_LF = 8;
const DATA = 9;
const DATA_CR = 10;
const DATA_LF = 11;
const LAST = 12;

const CR = 13;
const LF = 10;
const lineEnd = (CR << 8) | LF;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

const smallestChunkBytes = 6;
const sizeDigitLimit = 16;
// Extensions are dropped, so all they may do is pass by: this many bytes of them in one message, then it is refused.
const extensionByteLimit = 8192;

const isTokenByte = new Uint8Array(256);
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789")) isTokenByte[byte] = 1;
for (let letter = 0; letter < 26; letter++) isTokenByte[65 + letter] = isTokenByte[97 + letter] = 1;

/** Reads what surrounds the chunks; the decoder passes the data on itself and counts `remaining` down. */
export class ChunkReader {
  /** Bytes of the current chunk still to come. */
  remaining = 0;
  error: Http1Error | null = null;
  private state = SIZE;
  private digits = 0;
  private extensionBytes = 0;

  /** Prepares for the next chunked message. */
  reset(): void {
    this.remaining = 0;
    this.error = null;
    this.state = SIZE;
    this.digits = 0;
    this.extensionBytes = 0;
  }

  /** The line of the last chunk was read: trailers follow. */
  get isLast(): boolean {
    return this.state === LAST;
  }

  /** The next bytes are chunk data. */
  get isInData(): boolean {
    return this.state === DATA;
  }

  /** The decoder passes on that many bytes of chunk data, at most `remaining`. */
  consume(length: number): void {
    this.remaining -= length;
    if (this.remaining === 0) this.state = DATA_CR;
  }

  /** Reads until chunk data or the trailers begin, or the bytes end. Returns the offset of the first byte not read. */
  read(buffer: Buffer, start: number, end: number): number {
    let i = start;
    while (i < end && this.state !== DATA && this.state !== LAST && this.error === null) {
      this.readByte(buffer[i++] as number);
    }
    return i;
  }

  /**
   * Behind a chunk, in a long row of tiny ones: takes whole chunks of up to 15 bytes, `d CRLF data CRLF`, at a stride. Returns the
   * offset behind the last one that it took.
   */
  gatherTiny(buffer: Buffer, start: number, end: number, gathered: Gather): number {
    let at = start;
    if (this.state === DATA_CR && at + 2 <= end && isLineEnd(buffer, at)) {
      this.state = SIZE;
      at += 2;
    }
    if (this.state !== SIZE || this.digits > 0) return at;
    const lastStart = end - smallestChunkBytes;
    const into = gathered.buffer;
    const full = gathered.length + gathered.room;
    let length = gathered.length;
    while (at <= lastStart) {
      const size = hexDigitValue[buffer[at] as number] as number;
      const dataEnd = at + 3 + size;
      if (size <= 0 || dataEnd + 2 > end || length + size > full) break;
      if (!isLineEnd(buffer, at + 1) || !isLineEnd(buffer, dataEnd)) break;
      for (let i = at + 3; i < dataEnd; i++) into[length++] = buffer[i] as number;
      at = dataEnd + 2;
    }
    gathered.length = length;
    return at;
  }

  private readByte(byte: number): void {
    const { state } = this;
    if (state === SIZE) this.readSize(byte);
    else if (state === SIZE_LF) this.endLine(byte);
    else if (state === DATA_CR || state === DATA_LF) this.readDataEnd(byte);
    else this.readExtension(byte);
  }

  private readSize(byte: number): void {
    const digit = hexDigitValue[byte] as number;
    if (digit >= 0) {
      this.remaining = this.remaining * 16 + digit;
      if (++this.digits <= sizeDigitLimit && this.remaining <= Number.MAX_SAFE_INTEGER) return;
      this.error = http1Error.bad_chunk_size;
    } else if (this.digits === 0) this.error = http1Error.bad_chunk_size;
    else if (byte === CR) this.state = SIZE_LF;
    else if (byte === SEMICOLON) this.state = EXTENSION_NAME_START;
    else this.error = byte === LF ? http1Error.bare_lf : http1Error.bad_chunk_size;
  }

  private endLine(byte: number): void {
    this.digits = 0;
    if (byte === LF) this.state = this.remaining === 0 ? LAST : DATA;
    else this.error = http1Error.bare_cr;
  }

  private readDataEnd(byte: number): void {
    if (byte !== (this.state === DATA_CR ? CR : LF)) this.error = http1Error.bad_chunk_end;
    this.state = this.state === DATA_CR ? DATA_LF : SIZE;
  }

  private readExtension(byte: number): void {
    const next = afterExtensionByte(this.state, byte);
    if (next < 0) this.error = http1Error.bad_chunk_extension;
    else this.state = next;
    if (++this.extensionBytes > extensionByteLimit) this.error = http1Error.chunk_extension_too_large;
  }
}

function isLineEnd(buffer: Buffer, at: number): boolean {
  return (((buffer[at] as number) << 8) | (buffer[at + 1] as number)) === lineEnd;
}

// `;name`, `;name=token`, `;name="quoted"`, any number of them, without white space around. -1 where the byte may not stand.
function afterExtensionByte(state: number, byte: number): number {
  const isToken = isTokenByte[byte] === 1;
  switch (state) {
    case EXTENSION_NAME_START:
      return isToken ? EXTENSION_NAME : -1;
    case EXTENSION_NAME:
      if (byte === EQUALS) return EXTENSION_VALUE_START;
      return isToken ? EXTENSION_NAME : afterExtension(byte);
    case EXTENSION_VALUE_START:
      if (byte === QUOTE) return EXTENSION_QUOTED;
      return isToken ? EXTENSION_VALUE : -1;
    case EXTENSION_VALUE:
      return isToken ? EXTENSION_VALUE : afterExtension(byte);
    case EXTENSION_QUOTED:
      if (byte === QUOTE) return EXTENSION_END;
      if (byte === BACKSLASH) return EXTENSION_ESCAPE;
      return isQuotable(byte) ? EXTENSION_QUOTED : -1;
    case EXTENSION_ESCAPE:
      return isQuotable(byte) ? EXTENSION_QUOTED : -1;
    default:
      return afterExtension(byte);
  }
}

function afterExtension(byte: number): number {
  if (byte === CR) return SIZE_LF;
  return byte === SEMICOLON ? EXTENSION_NAME_START : -1;
}

function isQuotable(byte: number): boolean {
  return byte === 9 || (byte >= 0x20 && byte !== 0x7f);
}
