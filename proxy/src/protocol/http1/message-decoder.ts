// What the request and the response decoder share: collecting a head across chunks, the three kinds of body, trailers.
//
//   IDLE -> HEAD -> (LENGTH | CHUNKED -> TRAILERS | UNTIL_CLOSE) -> IDLE ...
//                -> TUNNEL      (CONNECT, 101: all further bytes are the caller's)
//   any  -> FAILED | CLOSED

import { HeaderBlock } from '@weft/lib/header';
import { Gather } from '../gather.ts';
import { ChunkReader } from './chunk-reader.ts';
import { type Http1Error, http1Error } from './error.ts';
import { firstIllegalByte } from './header-section.ts';
import { parseTrailers } from './trailers.ts';

export const IDLE = 0;
export const HEAD = 1;
export const LENGTH = 2;
export const CHUNKED = 3;
export const TRAILERS = 4;
export const UNTIL_CLOSE = 5;
export const TUNNEL = 6;
export const FAILED = 7;
export const CLOSED = 8;

/** Bounds of one message; every one of them ends the message with an error of kind `too-large`. */
export interface Http1Limits {
  /** Start line and headers with their line ends; also the trailers unless `maxTrailerBytes` says otherwise. */
  readonly maxHeaderBytes: number;
  /** Header lines, and trailer lines. */
  readonly maxHeaderCount: number;
  readonly maxTrailerBytes?: number;
  /** HTTP/1.0 requests are refused without it, as Envoy does by default. */
  readonly allowHttp10: boolean;
}

/** 60 KiB and 100 headers, HTTP/1.1 only. */
export const defaultHttp1Limits: Http1Limits = { maxHeaderBytes: 61440, maxHeaderCount: 100, allowHttp10: false };

/** Receives a body. Chunks are borrowed: valid during the call only. */
export interface BodySink {
  onData(buffer: Buffer, offset: number, length: number): void;
  /** The message is complete; `trailers` is null unless some came. */
  onEnd(trailers: HeaderBlock | null): void;
}

const sectionEnd = Buffer.from('\r\n\r\n');
const CR = 13;
const LF = 10;
const firstResidueBytes = 512;
const nothing: Buffer = Buffer.alloc(0);

/** Bytes -> messages, with explicit state. It never throws, and keeps bytes only of an incomplete head or trailer section. */
export abstract class MessageDecoder {
  error: Http1Error | null = null;
  state: number = IDLE;
  protected readonly limits: Http1Limits;
  private readonly bodySink: BodySink;
  /** How many empty lines may still precede the start line. */
  protected blankLines = 0;
  /** The error of a message that begins with more of them. */
  private readonly startLineError: Http1Error;
  private paused = false;
  private ended = false;
  private remaining = 0;
  private chunks: ChunkReader | null = null;
  private gathered: Gather | null = null;
  // The first bytes of a section whose end has not come yet.
  private residue: Buffer = nothing;
  private residueLength = 0;

  constructor(limits: Http1Limits, sink: BodySink, startLineError: Http1Error) {
    this.limits = limits;
    this.startLineError = startLineError;
    this.bodySink = sink;
  }

  /**
   * Decodes `buffer` from `start` to `end` and returns how many bytes it consumed. It returns early after each complete message,
   * when the sink pauses it, on an error (`error` is set, all bytes count as consumed) and where a tunnel begins.
   */
  decode(buffer: Buffer, start: number, end: number): number {
    let at = start;
    this.ended = false;
    if (this.gathered !== null) this.gathered.wasUsed = false;
    while (at < end && !this.ended && !this.paused && this.state < TUNNEL) at = this.step(buffer, at, end);
    if (this.gathered !== null) this.passGathered();
    return at - start;
  }

  /** The last bytes were so many pieces that others should have their turn before the next. */
  get isDear(): boolean {
    return this.gathered?.wasUsed === true;
  }

  /** Stops `decode` after the event at hand; the end of a body whose last byte was passed on is still told. */
  pause(): void {
    this.paused = true;
  }

  /** Lets `decode` go on; the caller gives it the bytes it has not consumed. */
  resume(): void {
    this.paused = false;
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** All further bytes are the caller's. */
  upgrade(): void {
    this.state = TUNNEL;
  }

  /** Back to `state` as if nothing had come. */
  protected restart(state: number): void {
    this.state = state;
    this.error = null;
    this.paused = false;
    this.residue = nothing;
    this.residueLength = 0;
  }

  /** No further event, whatever comes. */
  close(): void {
    this.state = CLOSED;
    this.residue = nothing;
    this.residueLength = 0;
  }

  /** Between messages, and no byte of the next has come. */
  get isIdle(): boolean {
    return this.state === IDLE && this.residueLength === 0;
  }

  /** Some of a head has come, but not all. */
  get isInHead(): boolean {
    return this.state <= HEAD && this.residueLength > 0;
  }

  /** A head was told and its end was not. */
  get isInBody(): boolean {
    return this.state >= LENGTH && this.state <= UNTIL_CLOSE;
  }

  /** Looks for a whole head at `start`; tells it and returns the offset behind it, or -1 when its end has not come. */
  protected abstract takeHead(buffer: Buffer, start: number, end: number, searchFrom: number): number;

  private step(buffer: Buffer, start: number, end: number): number {
    switch (this.state) {
      case IDLE:
      case HEAD:
        return this.stepHead(buffer, start, end);
      case LENGTH:
        return this.stepLength(buffer, start, end);
      case CHUNKED:
        return this.stepChunked(buffer, start, end);
      case TRAILERS:
        return this.stepTrailers(buffer, start, end);
      default:
        this.bodySink.onData(buffer, start, end - start);
        return end;
    }
  }

  private stepHead(buffer: Buffer, start: number, end: number): number {
    if (this.residueLength > 0) return this.stepHeadResidue(buffer, start, end);
    if (buffer[start] === CR) return this.stepBlankLine(buffer, start, end);
    const next = this.takeHead(buffer, start, end, start);
    return next >= 0 ? next : this.keep(buffer, start, end, this.limits.maxHeaderBytes);
  }

  private stepHeadResidue(buffer: Buffer, start: number, end: number): number {
    if (this.residue[0] !== CR) return this.stepResidue(buffer, start, end, this.limits.maxHeaderBytes);
    if (buffer[start] !== LF) return this.fail(http1Error.bare_cr, end);
    this.residueLength = 0;
    this.blankLines--;
    return start + 1;
  }

  // RFC 9112 §2.2: a server ignores an empty line before the request line.
  private stepBlankLine(buffer: Buffer, start: number, end: number): number {
    if (this.blankLines === 0) return this.fail(this.startLineError, end);
    if (start + 1 === end) return start + this.append(buffer, start, end, this.limits.maxHeaderBytes);
    if (buffer[start + 1] !== LF) return this.fail(http1Error.bare_cr, end);
    this.blankLines--;
    return start + 2;
  }

  private stepTrailers(buffer: Buffer, start: number, end: number): number {
    const limit = this.limits.maxTrailerBytes ?? this.limits.maxHeaderBytes;
    if (this.residueLength > 0) return this.stepResidue(buffer, start, end, limit);
    const next = this.takeTrailers(buffer, start, end, start);
    return next >= 0 ? next : this.keep(buffer, start, end, limit);
  }

  private stepLength(buffer: Buffer, start: number, end: number): number {
    const length = Math.min(this.remaining, end - start);
    this.remaining -= length;
    this.bodySink.onData(buffer, start, length);
    if (this.remaining === 0 && this.state === LENGTH) this.endMessage(null);
    return start + length;
  }

  private stepChunked(buffer: Buffer, start: number, end: number): number {
    const chunks = this.chunks as ChunkReader;
    if (chunks.isInData) {
      const length = Math.min(chunks.remaining, end - start);
      chunks.consume(length);
      this.passChunk(buffer, start, length);
      return start + length;
    }
    const from = this.gathered === null ? start : chunks.gatherTiny(buffer, start, end, this.gathered);
    const at = chunks.read(buffer, from, end);
    if (chunks.error !== null) {
      this.passGathered();
      return this.fail(chunks.error, end);
    }
    if (!chunks.isLast) return at;
    this.passGathered();
    if (this.state === CHUNKED) this.state = TRAILERS;
    return at;
  }

  private passChunk(buffer: Buffer, start: number, length: number): void {
    this.gathered ??= new Gather();
    if (this.gathered.take(buffer, start, length)) return;
    if (this.gathered.length > 0) this.passGathered();
    if (this.state === CHUNKED) this.bodySink.onData(buffer, start, length);
  }

  private passGathered(): void {
    const { gathered } = this;
    if (gathered === null) return;
    const { buffer, length } = gathered;
    gathered.clear();
    if (length > 0 && this.state === CHUNKED) this.bodySink.onData(buffer, 0, length);
  }

  // The bytes before a section's end are kept, up to the limit, and looked at again with those that follow.
  private stepResidue(buffer: Buffer, start: number, end: number, limit: number): number {
    const before = this.residueLength;
    const added = this.append(buffer, start, end, limit);
    const whole = this.residue;
    const length = this.residueLength;
    this.residue = nothing;
    this.residueLength = 0;
    const searchFrom = Math.max(0, before - 3);
    const found =
      this.state === TRAILERS
        ? this.takeTrailers(whole, 0, length, searchFrom)
        : this.takeHead(whole, 0, length, searchFrom);
    if (found >= 0) return this.state === FAILED ? end : start + found - before;
    this.residue = whole;
    this.residueLength = length;
    return this.checkResidue(before, limit, end) ? start + added : end;
  }

  private keep(buffer: Buffer, start: number, end: number, limit: number): number {
    const added = this.append(buffer, start, end, limit);
    return this.checkResidue(0, limit, end) ? start + added : end;
  }

  private append(buffer: Buffer, start: number, end: number, limit: number): number {
    const added = Math.min(end - start, limit - this.residueLength);
    const length = this.residueLength + added;
    if (length > this.residue.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(limit, Math.max(firstResidueBytes, length * 2)));
      this.residue.copy(grown, 0, 0, this.residueLength);
      this.residue = grown;
    }
    buffer.copy(this.residue, this.residueLength, start, start + added);
    this.residueLength = length;
    return added;
  }

  // A peer that speaks something else entirely is told at once, not when its time is up.
  private checkResidue(before: number, limit: number, end: number): boolean {
    // A CR at the end of the bytes before was left undecided.
    const from = before > 0 && this.residue[before - 1] === CR ? before - 1 : before;
    const illegal = firstIllegalByte(this.residue, from, this.residueLength);
    if (illegal === null && this.residueLength < limit) return true;
    this.fail(illegal ?? this.tooLarge(), end);
    return false;
  }

  private tooLarge(): Http1Error {
    return this.state === TRAILERS ? http1Error.trailers_too_large : http1Error.head_too_large;
  }

  /** The offset behind the empty line that ends the section at `start`, or -1 when it has not come. Fails beyond the limit. */
  protected findSectionEnd(buffer: Buffer, start: number, end: number, searchFrom: number, limit: number): number {
    const at = buffer.indexOf(sectionEnd, searchFrom);
    // What lies behind `end` is not ours: the caller reads into the same buffer again and again.
    if (at < 0 || at + 4 > end) return -1;
    if (at + 4 - start <= limit) return at + 4;
    return this.failSection(this.tooLarge(), buffer, start, start + limit, end);
  }

  /** Fails with `error`, unless an illegal byte in the section is the better reason. */
  protected failSection(error: Http1Error, buffer: Buffer, start: number, sectionEnd: number, end: number): number {
    return this.fail(firstIllegalByte(buffer, start, sectionEnd) ?? error, end);
  }

  private takeTrailers(buffer: Buffer, start: number, end: number, searchFrom: number): number {
    if (end - start < 2) return -1;
    if (buffer[start] === CR && buffer[start + 1] === LF) {
      this.endMessage(null);
      return start + 2;
    }
    const limit = this.limits.maxTrailerBytes ?? this.limits.maxHeaderBytes;
    const sectionEnd = this.findSectionEnd(buffer, start, end, searchFrom, limit);
    if (sectionEnd < 0 || this.state === FAILED) return sectionEnd;
    const trailers = parseTrailers(buffer, start, sectionEnd, this.limits.maxHeaderCount);
    if (trailers instanceof HeaderBlock) this.endMessage(trailers.names.length === 0 ? null : trailers);
    else this.failSection(trailers, buffer, start, sectionEnd, end);
    return this.state === FAILED ? end : sectionEnd;
  }

  /** Enters the body that the head announced. */
  protected beginBody(state: number, length: number): void {
    this.state = state;
    this.remaining = length;
    if (state !== CHUNKED) return;
    if (this.chunks === null) this.chunks = new ChunkReader();
    else this.chunks.reset();
  }

  protected endMessage(trailers: HeaderBlock | null): void {
    this.ended = true;
    this.state = IDLE;
    this.bodySink.onEnd(trailers);
  }

  /** Ends the decoder; returns `end`, so that all bytes count as consumed. */
  protected fail(error: Http1Error, end: number): number {
    this.error = error;
    this.state = FAILED;
    this.residue = nothing;
    this.residueLength = 0;
    return end;
  }
}
