// What one response says of itself, and the heads that came last from one endpoint.

import type { HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { HeadReader } from './head-reader.ts';
import { CHUNKED, type Http1Limits, IDLE, LENGTH, UNTIL_CLOSE } from './message-decoder.ts';
import { factsOf, type MessageFacts } from './message-facts.ts';

/** What a response answers, as far as its body depends on it. */
export const TO_OTHER = 0;
export const TO_HEAD = 1;
export const TO_CONNECT = 2;

// RFC 9112 §6.3, in its order; IDLE stands for no body.
function bodyStateOf(status: number, request: number, facts: MessageFacts): number {
  if (request === TO_HEAD || status < 200 || status === 204 || status === 304) return IDLE;
  if (request === TO_CONNECT && status < 300) return IDLE;
  if (facts.chunked) return CHUNKED;
  if (facts.contentLength < 0) return UNTIL_CLOSE;
  return facts.contentLength === 0 ? IDLE : LENGTH;
}

/** A response up to its body. Shared between equal responses, so it never changes. */
export class ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
  readonly block: HeaderBlock;
  readonly facts: MessageFacts;
  /** Whether `onData` may follow. */
  readonly hasBody: boolean;
  /** The body ends when the connection does. */
  readonly isCloseDelimited: boolean;
  /** All bytes behind this head are the caller's: 101, or a CONNECT that succeeded. */
  readonly isTunnel: boolean;
  /** Whether the connection may carry another request. */
  readonly keepAlive: boolean;
  /** Decoder state of the body. */
  readonly bodyState: number;

  constructor(status: number, reason: string, minor: 0 | 1, block: HeaderBlock, request: number) {
    const facts = factsOf(block);
    this.status = status;
    this.reason = reason;
    this.minor = minor;
    this.block = block;
    this.facts = facts;
    this.isTunnel = status === 101 || (request === TO_CONNECT && status >= 200 && status < 300);
    this.bodyState = bodyStateOf(status, request, facts);
    this.isCloseDelimited = this.bodyState === UNTIL_CLOSE;
    this.hasBody = this.bodyState !== IDLE;
    this.keepAlive = !this.isCloseDelimited && !this.isTunnel && facts.persists(minor);
  }
}

/**
 * Reads the heads of one endpoint's responses, whichever connection they come on: they resemble each other. Kept for each connection, the
 * last head of one that is seldom used would grow old, and only a full collection would free it.
 */
export class ResponseHeads {
  private readonly reader = new HeadReader();
  private last: ResponseHead | null = null;
  private lastRequest = TO_OTHER;
  /** Offset behind the head, after a success. */
  end = 0;

  /** A head like the last one; null when it is none, or not all of it is there. */
  similar(
    buffer: Buffer,
    start: number,
    end: number,
    request: number,
    limits: Http1Limits,
  ): ResponseHead | Http1Error | null {
    const { reader } = this;
    if (this.last !== null && this.lastRequest === request && reader.matchHead(buffer, start, end)) {
      this.end = start + reader.headLength;
      return this.last;
    }
    const headEnd = reader.readSimilar(buffer, start, end, limits.maxHeaderBytes, limits.maxHeaderCount);
    return headEnd < 0 ? null : this.parse(headEnd, request);
  }

  /** The head from `start` to `headEnd`. */
  read(
    buffer: Buffer,
    start: number,
    headEnd: number,
    request: number,
    limits: Http1Limits,
  ): ResponseHead | Http1Error {
    return this.reader.read(buffer, start, headEnd, limits.maxHeaderCount) ?? this.parse(headEnd, request);
  }

  private parse(headEnd: number, request: number): ResponseHead | Http1Error {
    const head = parseHead(this.reader.startLine, this.reader.block, request);
    // After a failure the reader remembers a head that `last` is not.
    this.last = head instanceof ResponseHead ? head : null;
    this.lastRequest = request;
    this.end = headEnd;
    return head;
  }
}

const statusLinePattern = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const otherVersionPattern = /^HTTP\/(?!1\.[01] )[0-9]\.[0-9] /;
const commonStatusLine = 'HTTP/1.1 200 OK';

function parseHead(line: string, block: HeaderBlock, request: number): ResponseHead | Http1Error {
  const facts = factsOf(block);
  if (line === commonStatusLine) return facts.error ?? new ResponseHead(200, 'OK', 1, block, request);
  const parts = statusLinePattern.exec(line);
  if (parts === null) return otherVersionPattern.test(line) ? http1Error.bad_version : http1Error.bad_status_line;
  const minor = parts[1] === '1' ? 1 : 0;
  if (facts.error !== null) return facts.error;
  if (minor === 0 && facts.chunked) return http1Error.encoding_in_http10;
  return new ResponseHead(Number(parts[2]), parts[3] ?? '', minor, block, request);
}
