// HTTP/1.1 messages -> bytes. Nothing that it is given can end a line early or begin another message: values are cleaned,
// targets percent-encoded, and framing headers are written here only.

import type { ByteWriter } from '@weft/lib/bytes';
import type { Headers } from '@weft/lib/header';
import { appendAdded, appendLine, baseFacts, blockText, cleanValue, SKIP_HOST, SKIP_LENGTH } from './header-text.ts';
import type { MessageFacts } from './message-facts.ts';
import { reasonPhrase } from './reason.ts';
import { isTargetText } from './request-target.ts';
import { isTrailerName } from './trailers.ts';

/** No body, or one that ends with the connection; a Content-Length among the headers is kept (HEAD, 304). */
export const FRAMING_NONE = 0;
/** By the Content-Length that is among the headers. */
export const FRAMING_LENGTH = 1;
/** Chunked; a Content-Length is left out. */
export const FRAMING_CHUNKED = 2;
/** No body in a request whose method lets one expect it: said so, RFC 9110 §8.6. */
export const FRAMING_EMPTY = 3;
export type Framing = typeof FRAMING_NONE | typeof FRAMING_LENGTH | typeof FRAMING_CHUNKED | typeof FRAMING_EMPTY;

// Names that somebody may have set on a message but only the encoder says. `connection` and `upgrade` that were set are written:
// that is how an upgrade is passed on.
const responseOwn: ReadonlySet<string> = new Set(['transfer-encoding', 'keep-alive', 'proxy-connection']);
const responseOwnWithoutLength: ReadonlySet<string> = new Set([...responseOwn, 'content-length']);
const requestOwn: ReadonlySet<string> = new Set([...responseOwn, 'host']);
const requestOwnWithoutLength: ReadonlySet<string> = new Set([...responseOwnWithoutLength, 'host']);

/** The whole answer to `Expect: 100-continue`. */
export const continueLine = 'HTTP/1.1 100 Continue\r\n\r\n';
const chunkedLine = 'transfer-encoding: chunked\r\n';
const emptyLine = 'content-length: 0\r\n';

/**
 * Writes a request head. Host says `authority`; when that is what the received Host said, its line stays where and as it was.
 * What is meant for one hop only is left out, names keep the case they came in.
 */
export function encodeRequestHead(
  out: ByteWriter,
  method: string,
  target: string,
  authority: string,
  headers: Headers,
  framing: Framing,
): void {
  const facts = baseFacts(headers);
  const isChunked = framing === FRAMING_CHUNKED;
  let skip = isChunked ? SKIP_LENGTH : 0;
  // Piece by piece: joining the text first would allocate all of it once more.
  out.latin1(method);
  out.byte(0x20);
  out.latin1(isTargetText(target) ? target : cleanTarget(target));
  out.latin1(' HTTP/1.1\r\n');
  if (!keepsHost(headers, facts, authority)) {
    appendLine(out, 'Host', authority);
    skip |= SKIP_HOST;
  }
  out.latin1(blockText(headers, facts, skip));
  if (facts.teTrailers && headers.has('te')) out.latin1('te: trailers\r\n');
  if (headers.slots > headers.base.names.length)
    appendAdded(out, headers, isChunked ? requestOwnWithoutLength : requestOwn);
  if (isChunked) out.latin1(chunkedLine);
  else if (framing === FRAMING_EMPTY) out.latin1(emptyLine);
  out.latin1('\r\n');
}

function keepsHost(headers: Headers, facts: MessageFacts, authority: string): boolean {
  const slot = facts.hostSlot;
  return slot >= 0 && facts.host === authority && facts.requestError === null && headers.present(slot);
}

// What a rewrite put into a target and what may not stand there.
function cleanTarget(target: string): string {
  let clean = '';
  for (const byte of Buffer.from(target, 'latin1')) {
    const isAllowed = byte > 0x20 && byte < 0x7f && byte !== 0x23;
    clean += isAllowed ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return clean === '' ? '/' : clean;
}

const statusLines: (string | undefined)[] = [];

function statusLine(status: number, reason: string): string {
  const known = statusLines[status];
  if (known !== undefined && reason === reasonPhrase(status)) return known;
  const line = `HTTP/1.1 ${status} ${cleanValue(reason)}\r\n`;
  if (status >= 100 && status < 600 && reason === reasonPhrase(status)) statusLines[status] = line;
  return line;
}

/** Writes a response head; `connectionOption` becomes the Connection header, unless it is empty. */
export function encodeResponseHead(
  out: ByteWriter,
  status: number,
  reason: string,
  headers: Headers,
  framing: Framing,
  connectionOption: '' | 'close' | 'keep-alive',
): void {
  const isChunked = framing === FRAMING_CHUNKED;
  // RFC 9110 §8.6: neither 1xx nor 204 may have a length; a client that believed it would wait for a body.
  const dropsLength = isChunked || status < 200 || status === 204;
  out.latin1(statusLine(status, reason));
  out.latin1(blockText(headers, baseFacts(headers), dropsLength ? SKIP_LENGTH : 0));
  if (headers.slots > headers.base.names.length)
    appendAdded(out, headers, dropsLength ? responseOwnWithoutLength : responseOwn);
  if (isChunked) out.latin1(chunkedLine);
  if (connectionOption !== '') appendLine(out, 'connection', connectionOption);
  out.latin1('\r\n');
}

const digits = Buffer.from('0123456789abcdef');

/** Writes the line before a chunk of that length, which is above 0. */
export function encodeChunkHead(out: ByteWriter, length: number): void {
  let shift = 0;
  while (length >>> shift > 15) shift += 4;
  for (; shift >= 0; shift -= 4) out.byte(digits[(length >>> shift) & 15] as number);
  encodeChunkEnd(out);
}

/** Writes the line end after a chunk. */
export function encodeChunkEnd(out: ByteWriter): void {
  out.byte(13);
  out.byte(10);
}

/** Writes the last chunk and the trailers, without those that may not be trailers. */
export function encodeLastChunk(out: ByteWriter, trailers: Headers | null): void {
  if (trailers === null) {
    out.latin1('0\r\n\r\n');
    return;
  }
  let text = '0\r\n';
  for (let slot = 0; slot < trailers.slots; slot++) {
    const name = trailers.nameAt(slot);
    if (!trailers.present(slot) || name.startsWith(':') || !isTrailerName(name)) continue;
    text += `${trailers.rawNameAt(slot)}: ${cleanValue(trailers.valueAt(slot))}\r\n`;
  }
  out.latin1(`${text}\r\n`);
}
