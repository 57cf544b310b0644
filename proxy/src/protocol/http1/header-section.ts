// Header sections: bytes → a validated `HeaderBlock`. One pass over the bytes checks every one of them and marks the lines;
// the names and values are then cut from the text.

import { HeaderBlock } from '@weft/lib/header';
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

// Marks of the lines found: colon, first and last + 1 byte of the value. More lines than this end the scan.
const lineLimit = 1024;
const marks = new Int32Array(lineLimit * 3);

/** The result of the last `parseHeaderSection` that returned null. */
export let sectionError: Http1Error = http1Error.missing_colon;

function fail(error: Http1Error): null {
  sectionError = error;
  return null;
}

/**
 * Parses `text`, which is `buffer` from `start` to `end` as latin1: lines that each end in CRLF, without the closing empty line.
 * Returns null on an error, which `sectionError` then holds; `firstIllegalByte` knows better about bare CR, LF and control bytes.
 */
export function parseHeaderSection(
  buffer: Buffer,
  start: number,
  end: number,
  text: string,
  maxCount: number,
): HeaderBlock | null {
  const count = markLines(buffer, start, end, Math.min(maxCount, lineLimit));
  if (count < 0) return null;
  const names = new Array<string>(count);
  const values = new Array<string>(count);
  const rawNames = new Array<string>(count);
  let lineStart = 0;
  for (let i = 0; i < count; i++) {
    const raw = text.slice(lineStart, (marks[i * 3] as number) - start);
    const name = internHeaderName(raw);
    if (name === null)
      return fail(raw.startsWith(' ') || raw.startsWith('\t') ? http1Error.folded_line : http1Error.bad_header_name);
    names[i] = name;
    rawNames[i] = raw === name ? name : raw;
    const valueEnd = marks[i * 3 + 2] as number;
    values[i] = text.slice(
      (marks[i * 3 + 1] as number) - start,
      trimEnd(buffer, marks[i * 3 + 1] as number, valueEnd) - start,
    );
    lineStart = valueEnd + 2 - start;
  }
  return new HeaderBlock(names, values, rawNames);
}

function trimEnd(buffer: Buffer, from: number, to: number): number {
  let end = to;
  while (end > from && (buffer[end - 1] === SP || buffer[end - 1] === HT)) end--;
  return end;
}

function markLines(buffer: Buffer, start: number, end: number, maxCount: number): number {
  let count = 0;
  let i = start;
  while (i < end) {
    if (count === maxCount) return markFail(http1Error.too_many_headers);
    const lineStart = i;
    let byte = buffer[i] as number;
    // Which bytes a name may hold is checked with the name.
    while (byte !== COLON && isValueByte[byte] === 1) byte = buffer[++i] as number;
    if (byte !== COLON)
      return markFail(lineStartsFolded(buffer, lineStart) ? http1Error.folded_line : http1Error.missing_colon);
    marks[count * 3] = i++;
    while (buffer[i] === SP || buffer[i] === HT) i++;
    marks[count * 3 + 1] = i;
    while (isValueByte[buffer[i] as number] === 1) i++;
    marks[count * 3 + 2] = i;
    if (buffer[i] !== CR || buffer[i + 1] !== LF) return markFail(http1Error.control_byte);
    i += 2;
    count++;
  }
  return count;
}

function lineStartsFolded(buffer: Buffer, lineStart: number): boolean {
  return buffer[lineStart] === SP || buffer[lineStart] === HT;
}

function markFail(error: Http1Error): number {
  sectionError = error;
  return -1;
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
