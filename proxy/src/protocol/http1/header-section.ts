// Header sections: bytes -> a validated `HeaderBlock`. Most sections on a connection repeat most lines of the one before, so a line
// that stands where it stood last time is taken over after one comparison; only the bytes of other lines are looked at.

import { emptyHeaderBlock, HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { internHeaderName } from './header-name.ts';

const CR = 13;
const LF = 10;
const SP = 32;
const HT = 9;
const COLON = 58;

// 1 for the bytes that may stand in a header value: HT, SP, visible ASCII and obs-text.
const isValueByte = new Uint8Array(256)
  .fill(1, 0x20)
  .fill(1, HT, HT + 1)
  .fill(0, 0x7f, 0x80);

// What is remembered of a section must not keep much memory alive.
const rememberedTextLimit = 2048;

/** Parses the sections of one connection. */
export class SectionParser {
  /** Offset in the text behind the empty line, after a success. */
  end = 0;
  /** After a failure; null when the text ended before the empty line. `firstIllegalByte` knows better about CR, LF and controls. */
  error: Http1Error | null = null;
  private last: HeaderBlock = emptyHeaderBlock;
  // The lines of `last`, each with its CRLF.
  private lines: string[] = [];
  // Of the line that was just scanned: the colon, the value's first byte and the one behind its last, the one behind the CRLF.
  private colon = 0;
  private valueStart = 0;
  private valueEnd = 0;
  private next = 0;

  /**
   * Parses lines from offset `from` of `text` up to an empty line. The characters of `text` are the bytes of `buffer` from `base` on.
   * Null on a failure.
   */
  parse(buffer: Buffer, base: number, text: string, from: number, maxCount: number): HeaderBlock | null {
    const { last, lines } = this;
    const limit = base + text.length;
    const values: string[] = [];
    let names = last.names as string[];
    let rawNames = last.rawNames as string[];
    let sharesNames = true;
    let at = from;
    let slot = 0;
    this.error = null;
    while (buffer[base + at] !== CR || buffer[base + at + 1] !== LF) {
      if (slot === maxCount) return this.fail(http1Error.too_many_headers);
      const remembered = lines[slot];
      if (remembered !== undefined) {
        const line = text.slice(at, at + remembered.length);
        if (line === remembered) {
          lines[slot] = line;
          values.push(last.values[slot] as string);
          if (!sharesNames) {
            names.push(last.names[slot] as string);
            rawNames.push(last.rawNames[slot] as string);
          }
          at += line.length;
          slot++;
          continue;
        }
      }
      if (!this.scanLine(buffer, base + at, limit)) return null;
      const raw = text.slice(at, this.colon - base);
      if (!sharesNames || raw !== rawNames[slot]) {
        if (sharesNames) {
          names = names.slice(0, slot);
          rawNames = rawNames.slice(0, slot);
          sharesNames = false;
        }
        const name = internHeaderName(raw);
        if (name === null)
          return this.fail(isBlank(buffer[base + at]) ? http1Error.folded_line : http1Error.bad_header_name);
        names.push(name);
        rawNames.push(raw === name ? name : raw);
      }
      values.push(text.slice(this.valueStart - base, this.valueEnd - base));
      lines[slot] = text.slice(at, this.next - base);
      at = this.next - base;
      slot++;
    }
    if (base + at + 2 > limit) return this.fail(null);
    this.end = at + 2;
    if (sharesNames && slot < names.length) {
      names = names.slice(0, slot);
      rawNames = rawNames.slice(0, slot);
    }
    const block = new HeaderBlock(names, values, rawNames);
    lines.length = slot;
    this.last = block;
    if (text.length > rememberedTextLimit) this.forget();
    return block;
  }

  private forget(): void {
    this.last = emptyHeaderBlock;
    this.lines = [];
  }

  // What was remembered line by line belongs to two sections now.
  private fail(error: Http1Error | null): null {
    this.error = error;
    this.forget();
    return null;
  }

  // Which bytes a name may hold is checked with the name.
  private scanLine(buffer: Buffer, start: number, limit: number): boolean {
    let i = start;
    let byte = buffer[i] as number;
    while (byte !== COLON && isValueByte[byte] === 1) byte = buffer[++i] as number;
    if (byte !== COLON)
      return this.failLine(isBlank(buffer[start]) ? http1Error.folded_line : http1Error.missing_colon, i, limit);
    this.colon = i++;
    while (isBlank(buffer[i])) i++;
    this.valueStart = i;
    while (isValueByte[buffer[i] as number] === 1) i++;
    if (buffer[i] !== CR || buffer[i + 1] !== LF) return this.failLine(http1Error.control_byte, i, limit);
    this.next = i + 2;
    while (i > this.valueStart && isBlank(buffer[i - 1])) i--;
    this.valueEnd = i;
    return this.next <= limit || this.failLine(null, i, limit);
  }

  // Behind `limit` lie bytes of no meaning: running into them says only that the section is not complete.
  private failLine(error: Http1Error | null, at: number, limit: number): boolean {
    this.fail(at >= limit ? null : error);
    return false;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SP || byte === HT;
}

/**
 * The first byte that no head or trailer section may hold: a control byte, a CR without LF, an LF without CR. A CR at the very
 * end is still undecided. Used where a section is incomplete or was refused, so that the error is the same however it was split.
 */
export function firstIllegalByte(buffer: Buffer, start: number, end: number): Http1Error | null {
  for (let i = start; i < end; i++) {
    const byte = buffer[i] as number;
    if (isValueByte[byte] === 1) continue;
    if (byte === CR) {
      if (i + 1 === end) return null;
      if (buffer[i + 1] !== LF) return http1Error.bare_cr;
      i++;
      continue;
    }
    return byte === LF ? http1Error.bare_lf : http1Error.control_byte;
  }
  return null;
}
