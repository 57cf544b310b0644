// HTTP/1.1 requests: bytes -> `RequestHead`, body chunks, trailers.

import type { HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { HeadReader } from './head-reader.ts';
import { isToken } from './header-name.ts';
import {
  type BodySink,
  CHUNKED,
  FAILED,
  type Http1Limits,
  IDLE,
  LENGTH,
  MessageDecoder,
  TUNNEL,
} from './message-decoder.ts';
import { factsOf, type MessageFacts } from './message-facts.ts';
import { isTargetText, parseSpecialTarget, type RequestTarget, type TargetForm } from './request-target.ts';

/** A request up to its body. Shared between equal requests, so it never changes. */
export class RequestHead {
  readonly method: string;
  /** As received. */
  readonly target: string;
  readonly form: TargetForm;
  /** Path with query; `*` in the asterisk form, empty for CONNECT. */
  readonly path: string;
  /** From the absolute or authority form, else the Host header; empty in an HTTP/1.0 request without one. */
  readonly authority: string;
  /** Lower case, of the absolute form; else null. */
  readonly scheme: string | null;
  readonly minor: 0 | 1;
  readonly block: HeaderBlock;
  readonly facts: MessageFacts;
  /** Whether `onData` may follow. */
  readonly hasBody: boolean;
  /** Whether the client lets the connection live on. */
  readonly keepAlive: boolean;

  constructor(method: string, target: string, special: RequestTarget | null, minor: 0 | 1, block: HeaderBlock) {
    const facts = factsOf(block);
    this.method = method;
    this.target = target;
    this.form = special === null ? 'origin' : special.form;
    this.path = special === null ? target : special.path;
    this.authority = special?.authority ?? facts.host ?? '';
    this.scheme = special === null ? null : special.scheme;
    this.minor = minor;
    this.block = block;
    this.facts = facts;
    this.hasBody = facts.chunked || facts.contentLength > 0;
    this.keepAlive = facts.persists(minor);
  }
}

/** Receives what a `RequestDecoder` finds. */
export interface RequestSink extends BodySink {
  onRequest(head: RequestHead): void;
}

const knownMethods: ReadonlyMap<string, string> = new Map(
  ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE'].map((method) => [method, method]),
);

const SLASH = 47;
const version11 = ' HTTP/1.1';
const version10 = ' HTTP/1.0';

/** Decodes the requests of one connection. After CONNECT or an upgrade request the caller answers, then calls `upgrade`. */
export class RequestDecoder extends MessageDecoder {
  private readonly sink: RequestSink;
  private readonly reader = new HeadReader();
  private lastHead: RequestHead | null = null;
  private lastMethod = 'GET';

  constructor(limits: Http1Limits, sink: RequestSink) {
    super(limits, sink, http1Error.bad_request_line);
    this.sink = sink;
    this.blankLines = 1;
  }

  /** Prepares for a new connection's bytes. */
  reset(): void {
    this.restart(IDLE);
    this.blankLines = 1;
  }

  /** The peer has closed its side: true between messages, else false with the error `incomplete`. */
  finish(): boolean {
    if (this.isIdle || this.state >= TUNNEL) return this.state !== FAILED;
    this.fail(http1Error.incomplete, 0);
    return false;
  }

  protected override takeHead(buffer: Buffer, start: number, end: number, searchFrom: number): number {
    const { reader } = this;
    if (this.lastHead !== null && reader.matchHead(buffer, start, end)) {
      this.tell(this.lastHead);
      return start + reader.headLength;
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
    const head = this.parseHead(reader.startLine, reader.block);
    if (!(head instanceof RequestHead)) return this.failSection(head, buffer, start, headEnd, end);
    this.lastHead = head;
    this.tell(head);
    return headEnd;
  }

  private tell(head: RequestHead): void {
    const { facts } = head;
    this.blankLines = 1;
    this.beginBody(facts.chunked ? CHUNKED : LENGTH, Math.max(0, facts.contentLength));
    this.sink.onRequest(head);
    // Without a body this is the end, unless the sink has closed the decoder.
    if (!head.hasBody && this.state === LENGTH) this.endMessage(null);
  }

  private parseHead(line: string, block: HeaderBlock): RequestHead | Http1Error {
    const methodEnd = line.indexOf(' ');
    const targetEnd = line.length - version11.length;
    if (methodEnd <= 0 || targetEnd <= methodEnd + 1) return http1Error.bad_request_line;
    const method = this.internMethod(line.slice(0, methodEnd));
    if (method === null) return http1Error.bad_method;
    // Comparing a slice is several times as fast as `endsWith`.
    const version = line.slice(targetEnd);
    if (version !== version11 && version !== version10) return versionError(line);
    const target = line.slice(methodEnd + 1, targetEnd);
    if (!isTargetText(target)) return target.includes(' ') ? http1Error.bad_request_line : http1Error.bad_target;
    const minor = version === version11 ? 1 : 0;
    const error = checkSection(factsOf(block), minor, method, this.limits);
    if (error !== null) return error;
    if (target.charCodeAt(0) === SLASH && method !== 'CONNECT')
      return new RequestHead(method, target, null, minor, block);
    const special = parseSpecialTarget(method, target);
    return 'code' in special ? special : new RequestHead(method, target, special, minor, block);
  }

  private internMethod(text: string): string | null {
    if (text === this.lastMethod) return this.lastMethod;
    const method = knownMethods.get(text) ?? (isToken(text) ? text : null);
    if (method !== null) this.lastMethod = method;
    return method;
  }
}

// Three parts, of which the last looks like a version of another HTTP, or something else.
function versionError(line: string): Http1Error {
  return /^[^ ]+ [^ ]+ HTTP\/[0-9]\.[0-9]$/.test(line) ? http1Error.bad_version : http1Error.bad_request_line;
}

function checkSection(facts: MessageFacts, minor: 0 | 1, method: string, limits: Http1Limits): Http1Error | null {
  if (facts.requestError !== null) return facts.requestError;
  if (facts.error !== null) return facts.error;
  if (method === 'CONNECT' && (facts.chunked || facts.contentLength > 0)) return http1Error.body_with_connect;
  if (minor === 1) return facts.host === null ? http1Error.missing_host : null;
  if (!limits.allowHttp10) return http1Error.http10_refused;
  return facts.chunked ? http1Error.encoding_in_http10 : null;
}
