// Base64 (RFC 4648 §4) as gRPC-Web's text mode streams it: runs of quanta, each run padded or not, cut anywhere.

const invalid = 255;
const pad = 254;
const equals = 0x3d;

const values = new Uint8Array(256).fill(invalid);
for (const [value, character] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  values[character.charCodeAt(0)] = value;
}
values[equals] = pad;

/** Decodes one stream of characters; between calls it holds at most one quantum. */
export class Base64Decoder {
  private bits = 0;
  private count = 0;
  private padding = 0;

  /** Whether no quantum is open: text may end here. */
  get isWhole(): boolean {
    return this.count === 0;
  }

  /** Writes what the characters decode to at the beginning of `out`; the number of bytes, or -1 when they are no base64. */
  decode(buffer: Buffer, offset: number, length: number, out: Buffer): number {
    let at = 0;
    for (let i = offset; i < offset + length; i++) {
      const value = values[buffer[i] as number] as number;
      if (!this.take(value)) return -1;
      if (this.count < 4) continue;
      at = this.flush(out, at);
    }
    return at;
  }

  private take(value: number): boolean {
    this.count++;
    if (value < 64) {
      this.bits = (this.bits << 6) | value;
      return this.padding === 0;
    }
    this.padding++;
    this.bits <<= 6;
    // A quantum has two characters at least before its padding.
    return value === pad && this.count > 2;
  }

  private flush(out: Buffer, start: number): number {
    let at = start;
    out[at++] = this.bits >> 16;
    if (this.padding < 2) out[at++] = (this.bits >> 8) & 0xff;
    if (this.padding < 1) out[at++] = this.bits & 0xff;
    this.bits = this.count = this.padding = 0;
    return at;
  }
}
