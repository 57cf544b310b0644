// Runs a decoder over bytes cut in any way and writes down what it told, one line per event: for the vectors, the fuzzer, the tests.

import { assert } from '@weft/lib/assert';
import type { HeaderBlock } from '@weft/lib/header';
import {
  type Http1Limits,
  RequestDecoder,
  type RequestHead,
  ResponseDecoder,
  type ResponseHead,
  type ResponseHeads,
} from '../decode.ts';

/** What decoding gave; body bytes are joined, so that the lines do not depend on how the input was cut. */
export interface Recording {
  readonly lines: readonly string[];
  readonly requests: readonly RequestHead[];
  readonly responses: readonly ResponseHead[];
  /** The body and trailers of each complete message. */
  readonly bodies: readonly Buffer[];
  readonly trailers: readonly (HeaderBlock | null)[];
  /** Bytes left to the caller behind a tunnel's head. */
  readonly rest: number;
}

/** How to read the bytes. */
export interface RecordOptions {
  readonly limits: Http1Limits;
  /** Methods of the requests that the responses answer, in order; null to decode requests. */
  readonly responseTo: readonly string[] | null;
  /** The peer closes behind the last byte. */
  readonly eof: boolean;
  /** Also write down each header line. */
  readonly headers: boolean;
  /** What other connections to the same endpoint have seen. */
  readonly heads?: ResponseHeads;
}

class Recorder {
  readonly lines: string[] = [];
  readonly requests: RequestHead[] = [];
  readonly responses: ResponseHead[] = [];
  readonly bodies: Buffer[] = [];
  readonly trailers: (HeaderBlock | null)[] = [];
  ended = 0;
  private body: Buffer[] = [];
  private readonly withHeaders: boolean;

  constructor(withHeaders: boolean) {
    this.withHeaders = withHeaders;
  }

  onRequest(head: RequestHead): void {
    this.requests.push(head);
    const parts = [head.method, head.form, head.path || '-', head.authority || '-'];
    if (head.scheme !== null) parts.push(`scheme=${head.scheme}`);
    if (head.minor === 0) parts.push('1.0');
    if (!head.keepAlive) parts.push('close');
    if (head.facts.upgrade !== null) parts.push(`upgrade=${head.facts.upgrade}`);
    if (head.facts.expectContinue) parts.push('expect');
    this.lines.push(`request ${parts.join(' ')}`);
    this.addHeaders(head.block);
  }

  onResponse(head: ResponseHead): void {
    this.responses.push(head);
    const marks = [head.minor === 0 ? ' 1.0' : '', head.keepAlive ? '' : ' close', head.isTunnel ? ' tunnel' : ''];
    this.lines.push(`response ${head.status} ${escapeText(head.reason)}`.trimEnd() + marks.join(''));
    this.addHeaders(head.block);
  }

  onInformational(head: ResponseHead): void {
    this.lines.push(`informational ${head.status}`);
    this.addHeaders(head.block);
  }

  onData(buffer: Buffer, offset: number, length: number): void {
    this.body.push(Buffer.from(buffer.subarray(offset, offset + length)));
  }

  onEnd(trailers: HeaderBlock | null): void {
    this.ended++;
    const body = this.flushData();
    this.bodies.push(body);
    this.trailers.push(trailers);
    this.lines.push('end');
    if (trailers !== null) this.addLines('trailer', trailers);
  }

  flushData(): Buffer {
    const body = Buffer.concat(this.body);
    this.body = [];
    if (body.length > 0) this.lines.push(`data ${body.length} ${escapeText(body.toString('latin1')).slice(0, 60)}`);
    return body;
  }

  private addHeaders(block: HeaderBlock): void {
    if (this.withHeaders) this.addLines('header', block);
  }

  private addLines(word: string, block: HeaderBlock): void {
    for (let i = 0; i < block.names.length; i++) {
      this.lines.push(`${word} ${block.rawNames[i]}: ${escapeText(block.values[i] ?? '')}`);
    }
  }
}

/** Non-printing and non-ASCII bytes as `\xHH`, a backslash doubled. */
export function escapeText(text: string): string {
  return text.replace(/[^\x20-\x5b\x5d-\x7e]/g, (char) =>
    char === '\\' ? '\\\\' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Decodes `input`, cut at the given ascending offsets, to its end or to the first error. */
export function record(input: Buffer, cuts: readonly number[], options: RecordOptions): Recording {
  const recorder = new Recorder(options.headers);
  const decoder =
    options.responseTo === null
      ? new RequestDecoder(options.limits, recorder)
      : new ResponseDecoder(options.limits, recorder, options.heads);
  const responseTo = [...(options.responseTo ?? [])];
  const startNext = () => {
    const method = responseTo.shift();
    if (decoder instanceof ResponseDecoder && method !== undefined) decoder.start(method);
  };
  startNext();
  let at = 0;
  let started = recorder.ended;
  for (const cut of [...cuts, input.length]) {
    while (at < cut) {
      if (recorder.ended > started) startNext();
      started = recorder.ended;
      const used = decoder.decode(input, at, cut);
      assert(used >= 0 && used <= cut - at, `decode consumed ${used} of ${cut - at} bytes`);
      if (used === 0) break;
      at += used;
    }
  }
  if (options.eof && decoder.error === null) decoder.finish();
  recorder.flushData();
  if (decoder.error !== null) recorder.lines.push(`error ${decoder.error.code}`);
  const rest = decoder.error === null ? input.length - at : 0;
  if (rest > 0) recorder.lines.push(`rest ${rest}`);
  const { lines, requests, responses, bodies, trailers } = recorder;
  return { lines, requests, responses, bodies, trailers, rest };
}
