// One head's bytes -> its start line and header block, with short cuts: the very head of last time; the section of last time under
// another start line; a section of which most lines are those of last time; a section that some other connection sent.

import { latin1Text } from '@weft/lib/bytes';
import { emptyHeaderBlock, type HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { SectionParser } from './header-section.ts';
import { factsOf } from './message-facts.ts';
import { sectionCache } from './section-cache.ts';

const CR = 13;
const LF = 10;

// How many misses in a row it takes until a repetition of the whole head is no longer looked for; the next one seen brings it back.
const patience = 4;
// A longer text is not remembered.
const rememberedLimit = 4096;
// A head may be that much longer than the last one and still be read in one go.
const growth = 256;

/** Reads the heads of one connection. `startLine` and `block` hold the result of the last success. */
export class HeadReader {
  startLine = '';
  block: HeaderBlock = emptyHeaderBlock;
  private readonly parser = new SectionParser();
  private lastText = '';
  private lastTries = 0;
  // With the empty line behind it; empty when there is none.
  private lastSection = '';

  /** Length of the head that `matchHead` found again. */
  get headLength(): number {
    return this.lastText.length;
  }

  /** Whether the bytes at `start` are the last head over again. */
  matchHead(buffer: Buffer, start: number, end: number): boolean {
    if (this.lastTries === 0) return false;
    const length = this.lastText.length;
    if (end - start < length) return false;
    if (latin1Text(buffer, start, start + length) === this.lastText) {
      this.lastTries = patience;
      return true;
    }
    this.lastTries--;
    return false;
  }

  /** Reads a head that resembles the last one and keeps to the limit; returns its end, or -1 when there is no such. */
  readSimilar(buffer: Buffer, start: number, end: number, maxBytes: number, maxCount: number): number {
    if (this.lastSection === '') return -1;
    const bytes = latin1Text(buffer, start, Math.min(end, start + maxBytes, start + this.lastText.length + growth));
    let lineLength = 0;
    while (lineLength < bytes.length && buffer[start + lineLength] !== CR) lineLength++;
    const sectionStart = lineLength + 2;
    if (bytes.charCodeAt(lineLength + 1) !== LF) return -1;
    let headLength = sectionStart + this.lastSection.length;
    const section = bytes.slice(sectionStart, headLength);
    if (section !== this.lastSection) {
      const block = this.parser.parse(buffer, start, bytes, sectionStart, maxCount);
      if (block === null) return -1;
      headLength = this.parser.end;
      this.block = block;
      this.lastSection = bytes.slice(sectionStart, headLength);
      factsOf(block).section = bytes.slice(sectionStart, headLength - 2);
    }
    this.startLine = bytes.slice(0, lineLength);
    this.remember(headLength === bytes.length ? bytes : bytes.slice(0, headLength));
    return start + headLength;
  }

  /** Reads the whole head from `start` to `headEnd`. */
  read(buffer: Buffer, start: number, headEnd: number, maxCount: number): Http1Error | null {
    const text = latin1Text(buffer, start, headEnd);
    const lineLength = text.indexOf('\r\n');
    const section = text.slice(lineLength + 2);
    const cached = sectionCache.get(section);
    if (cached !== null && cached.names.length > maxCount) return http1Error.too_many_headers;
    const error = cached === null ? this.parse(buffer, start + lineLength + 2, section, maxCount) : null;
    if (error !== null) return error;
    if (cached !== null) this.block = cached;
    this.startLine = text.slice(0, lineLength);
    this.lastSection = text.length <= rememberedLimit ? section : '';
    this.remember(text);
    return null;
  }

  private parse(buffer: Buffer, start: number, section: string, maxCount: number): Http1Error | null {
    const isShared = sectionCache.takes(section.length);
    // What the process keeps is a text of its own, parsed by itself: parts of other texts would keep those alive.
    const parser = isShared ? new SectionParser() : this.parser;
    const text = isShared ? latin1Text(buffer, start, start + section.length) : section;
    const block = parser.parse(buffer, start, text, 0, maxCount);
    if (block === null) return parser.error ?? http1Error.incomplete;
    factsOf(block).section = text.slice(0, -2);
    if (isShared) sectionCache.put(text, block);
    this.block = block;
    return null;
  }

  private remember(text: string): void {
    const isShort = text.length <= rememberedLimit;
    if (isShort && text === this.lastText) this.lastTries = patience;
    this.lastText = isShort ? text : '';
    if (!isShort) this.lastTries = 0;
  }
}
