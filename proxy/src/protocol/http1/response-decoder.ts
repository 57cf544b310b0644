// HTTP/1.1 responses: bytes -> `ResponseHead`, body chunks, trailers. How a body ends depends on the request it answers.

import { http1Error } from './error.ts';
import {
  type BodySink,
  FAILED,
  HEAD,
  type Http1Limits,
  IDLE,
  LENGTH,
  MessageDecoder,
  TUNNEL,
  UNTIL_CLOSE,
} from './message-decoder.ts';
import { ResponseHead, ResponseHeads, TO_CONNECT, TO_HEAD, TO_OTHER } from './response-head.ts';

/** Receives what a `ResponseDecoder` finds. */
export interface ResponseSink extends BodySink {
  onResponse(head: ResponseHead): void;
  /** 1xx but 101. */
  onInformational(head: ResponseHead): void;
}

// A server that goes on saying "continue" keeps the exchange open without ever answering.
const informationalLimit = 16;

/** Decodes the responses on one upstream connection, one `start` per request. */
export class ResponseDecoder extends MessageDecoder {
  private readonly sink: ResponseSink;
  private readonly heads: ResponseHeads;
  private request = TO_OTHER;
  private informationals = 0;

  /** `heads` may be shared with other connections to the same endpoint. */
  constructor(limits: Http1Limits, sink: ResponseSink, heads = new ResponseHeads()) {
    super(limits, sink, http1Error.bad_status_line);
    this.sink = sink;
    this.heads = heads;
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
    const { heads, limits, request } = this;
    // A head that comes in pieces is not tried again with each of them.
    let head = searchFrom === start ? heads.similar(buffer, start, end, request, limits) : null;
    if (head === null) {
      const headEnd = this.findSectionEnd(buffer, start, end, searchFrom, limits.maxHeaderBytes);
      if (headEnd < 0 || this.state === FAILED) return headEnd;
      head = heads.read(buffer, start, headEnd, request, limits);
      if (!(head instanceof ResponseHead)) return this.failSection(head, buffer, start, headEnd, end);
    }
    if (!(head instanceof ResponseHead)) return this.failSection(head, buffer, start, heads.end, end);
    return this.tell(head, heads.end, end);
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
