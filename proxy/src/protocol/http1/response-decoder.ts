// HTTP/1.1 responses: bytes -> `ResponseHead`, body chunks, trailers. How a body ends depends on the request it answers.

import type { HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { HeadReader } from './head-reader.ts';
import {
  type BodySink,
  CHUNKED,
  FAILED,
  HEAD,
  type Http1Limits,
  IDLE,
  LENGTH,
  MessageDecoder,
  TUNNEL,
  UNTIL_CLOSE,
} from './message-decoder.ts';
import { factsOf, type MessageFacts } from './message-facts.ts';

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

/** Receives what a `ResponseDecoder` finds. */
export interface ResponseSink extends BodySink {
  onResponse(head: ResponseHead): void;
  /** 1xx but 101. */
  onInformational(head: ResponseHead): void;
}

const TO_OTHER = 0;
const TO_HEAD = 1;
const TO_CONNECT = 2;

// RFC 9112 §6.3, in its order; IDLE stands for no body.
function bodyStateOf(status: number, request: number, facts: MessageFacts): number {
  if (request === TO_HEAD || status < 200 || status === 204 || status === 304) return IDLE;
  if (request === TO_CONNECT && status < 300) return IDLE;
  if (facts.chunked) return CHUNKED;
  if (facts.contentLength < 0) return UNTIL_CLOSE;
  return facts.contentLength === 0 ? IDLE : LENGTH;
}

// A server that goes on saying "continue" keeps the exchange open without ever answering.
const informationalLimit = 16;

/** Decodes the responses on one upstream connection, one `start` per request. */
export class ResponseDecoder extends MessageDecoder {
  private readonly sink: ResponseSink;
  private readonly reader = new HeadReader();
  private request = TO_OTHER;
  private informationals = 0;
  private lastHead: ResponseHead | null = null;
  private lastRequest = TO_OTHER;

  constructor(limits: Http1Limits, sink: ResponseSink) {
    super(limits, sink, http1Error.bad_status_line);
    this.sink = sink;
  }

  /** Expects the response to a request of that method. */
  start(requestMethod: string): void {
    this.restart(HEAD);
    this.request = requestMethod === 'HEAD' ? TO_HEAD : requestMethod === 'CONNECT' ? TO_CONNECT : TO_OTHER;
    this.informationals = 0;
  }

  /** The peer has closed its side: true when nothing is missing, which ends a close-delimited body; else false with `incomplete`. */
  finish(): boolean {
    if (this.state === UNTIL_CLOSE) {
      this.endMessage(null);
      return true;
    }
    if (this.isIdle || this.state >= TUNNEL) return this.state !== FAILED;
    this.fail(http1Error.incomplete, 0);
    return false;
  }

  protected override takeHead(buffer: Buffer, start: number, end: number, searchFrom: number): number {
    if (this.state === IDLE) return this.fail(http1Error.unexpected_bytes, end);
    const { reader } = this;
    if (this.lastHead !== null && this.lastRequest === this.request && reader.matchHead(buffer, start, end)) {
      return this.tell(this.lastHead, start + reader.headLength, end);
    }
    const { maxHeaderBytes, maxHeaderCount } = this.limits;
    // A head that comes in pieces is not tried again with each of them.
    let headEnd = searchFrom === start ? reader.readSimilar(buffer, start, end, maxHeaderBytes, maxHeaderCount) : -1;
    if (headEnd < 0) {
      headEnd = this.findSectionEnd(buffer, start, end, searchFrom, maxHeaderBytes);
      if (headEnd < 0 || this.state === FAILED) return headEnd;
      const error = reader.read(buffer, start, headEnd, maxHeaderCount);
      if (error !== null) return this.failSection(error, buffer, start, headEnd, end);
    }
    const head = parseHead(reader.startLine, reader.block, this.request);
    if (!(head instanceof ResponseHead)) return this.failSection(head, buffer, start, headEnd, end);
    this.lastHead = head;
    this.lastRequest = this.request;
    return this.tell(head, headEnd, end);
  }

  private tell(head: ResponseHead, headEnd: number, end: number): number {
    if (head.status < 200 && head.status !== 101) {
      if (++this.informationals > informationalLimit) return this.fail(http1Error.too_many_informational, end);
      this.sink.onInformational(head);
      return headEnd;
    }
    if (head.isTunnel) {
      this.upgrade();
      this.sink.onResponse(head);
      return headEnd;
    }
    const { bodyState } = head;
    this.beginBody(bodyState === IDLE ? LENGTH : bodyState, Math.max(0, head.facts.contentLength));
    this.sink.onResponse(head);
    if (bodyState !== IDLE) return headEnd;
    // The sink may have closed the decoder.
    if (this.state === LENGTH) this.endMessage(null);
    return headEnd;
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
