// One head's text → its start line and header block, with three short cuts: the very head of last time, the very section of last
// time under another start line, and a section some other connection sent.

import { latin1Text } from '@weft/lib/bytes';
import { emptyHeaderBlock, type HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { parseHeaderSection, sectionError } from './header-section.ts';
import { factsOf } from './message-facts.ts';
import { sectionCache } from './section-cache.ts';

const CR = 13;
const LF = 10;

// How many misses in a row it takes until a short cut is no longer tried; the next repetition seen brings it back.
const patience = 4;
// A text longer than this is not compared and not kept.
const repeatLimit = 4096;

/** Reads the heads of one connection. `startLine` and `block` hold the result of the last success. */
export class HeadReader {
  startLine = '';
  block: HeaderBlock = emptyHeaderBlock;
  private lastText = '';
  // With the empty line behind it.
  private lastSection = '';
  private headTries = 0;
  private sectionTries = 0;

  /** Length of the head that `matchHead` found again. */
  get headLength(): number {
    return this.lastText.length;
  }

  /** Whether the bytes at `start` are the last head over again. */
  matchHead(buffer: Buffer, start: number, end: number): boolean {
    if (this.headTries === 0) return false;
    const length = this.lastText.length;
    if (end - start < length) return false;
    if (latin1Text(buffer, start, start + length) === this.lastText) {
      this.headTries = patience;
      return true;
    }
    this.headTries--;
    return false;
  }

  /** The end of the head at `start` when its section is that of the last one and it keeps to the limit, else -1. */
  matchSection(buffer: Buffer, start: number, end: number, limit: number): number {
    if (this.sectionTries === 0) return -1;
    const length = this.lastSection.length;
    const lastLineEnd = Math.min(end, start + limit) - length - 2;
    let lineEnd = start;
    while (lineEnd <= lastLineEnd && buffer[lineEnd] !== CR) lineEnd++;
    if (lineEnd > lastLineEnd || buffer[lineEnd + 1] !== LF) return -1;
    const headEnd = lineEnd + 2 + length;
    const text = latin1Text(buffer, start, headEnd);
    if (!text.endsWith(this.lastSection)) {
      this.sectionTries--;
      return -1;
    }
    this.sectionTries = patience;
    this.noteText(text);
    this.startLine = text.slice(0, lineEnd - start);
    return headEnd;
  }

  /** Reads the whole head from `start` to `headEnd`. */
  read(buffer: Buffer, start: number, headEnd: number, maxCount: number): Http1Error | null {
    const text = latin1Text(buffer, start, headEnd);
    const lineLength = text.indexOf('\r\n');
    const section = text.slice(lineLength + 2);
    if (section === this.lastSection) {
      this.sectionTries = patience;
    } else {
      const error = this.readSection(buffer, start + lineLength + 2, headEnd, section, maxCount);
      if (error !== null) return error;
    }
    this.noteText(text);
    this.startLine = text.slice(0, lineLength);
    return null;
  }

  private readSection(
    buffer: Buffer,
    start: number,
    end: number,
    section: string,
    maxCount: number,
  ): Http1Error | null {
    const cached = sectionCache.get(section);
    if (cached !== null && cached.names.length > maxCount) return http1Error.too_many_headers;
    const block = cached ?? parseSection(buffer, start, end, section, maxCount);
    if (block === null) return sectionError;
    this.block = block;
    this.lastSection = section.length <= repeatLimit ? section : '';
    if (this.lastSection === '') this.sectionTries = 0;
    return null;
  }

  private noteText(text: string): void {
    if (text.length > repeatLimit) {
      this.lastText = '';
      this.headTries = 0;
      return;
    }
    if (text === this.lastText) this.headTries = patience;
    this.lastText = text;
  }
}

function parseSection(
  buffer: Buffer,
  start: number,
  end: number,
  section: string,
  maxCount: number,
): HeaderBlock | null {
  const isKept = sectionCache.takes(section.length);
  // What the process keeps is a text of its own: a part of the head's text would keep the start line alive too.
  const text = isKept ? latin1Text(buffer, start, end) : section;
  const block = parseHeaderSection(buffer, start, end - 2, text, maxCount);
  if (block === null) return null;
  factsOf(block).section = text.slice(0, -2);
  if (isKept) sectionCache.put(text, block);
  return block;
}
