// The HTTP/2 machine of one connection, either side (RFC 9113): frames in and out, streams, flow control, settings, ending.
// Bytes in by `decode`, bytes out into the arena that `out` gives. No sockets, no timers: `tick` tells that a second has passed.

import type { ByteWriter } from '@weft/lib/bytes';
import { emptyHeaderBlock, type HeaderBlock, type Headers } from '@weft/lib/header';
import { ErrorCode, type Http2Error, http2Error } from './error.ts';
import { FloodGuard } from './flood-guard.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  maxWindow,
  PADDED,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  writeFrameHead,
  writeGoAway,
  writePing,
  writeReset,
  writeSettingsAck,
  writeWindowUpdate,
} from './frame.ts';
import { breaksBlock, FrameReader, type FrameSink } from './frame-reader.ts';
import { HeadReader, type NoHead } from './head-reader.ts';
import { HeadWriter } from './head-writer.ts';
import type { H2OutgoingHead, H2RequestHead, H2ResponseHead } from './message.ts';
import { PeerSettings, preface, writeOwnSettings } from './peer-settings.ts';
import type { Http2Limits, Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

export type { Http2Limits, Http2Settings } from './settings.ts';
export { Http2Stream } from './stream.ts';

/** Hears what the peer does. Chunks are borrowed. After `onReset` or the end of both directions a stream is forgotten. */
export interface Http2Sink {
  onRequest?(stream: Http2Stream, head: H2RequestHead, endStream: boolean): void;
  onResponse?(stream: Http2Stream, status: number, block: HeaderBlock, endStream: boolean): void;
  onInformational?(stream: Http2Stream, status: number, block: HeaderBlock): void;
  onData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): void;
  onTrailers(stream: Http2Stream, block: HeaderBlock): void;
  onReset(stream: Http2Stream, code: number, isRemote: boolean): void;
  /** `sendData` took less than it was given; now it takes more. */
  onWritable(stream: Http2Stream): void;
  onGoAway(lastId: number, code: number): void;
  onSettings?(): void;
  /** GOAWAY with the error was written; nothing more is read. */
  onConnectionError(error: Http2Error): void;
}

const tooLargeHead: Omit<H2RequestHead, 'block'> = {
  method: '',
  path: '',
  authority: '',
  scheme: '',
  protocol: null,
  contentLength: -1,
  tooLarge: true,
  minor: 2,
};
const priorityBytes = 5;
/** Streams that we reset: frames that were on their way are not held against the peer. */
const rememberedResets = 64;

export class Http2Connection implements FrameSink {
  error: Http2Error | null = null;
  isGoingAway = false;
  readonly peer: PeerSettings = new PeerSettings();
  private readonly role: 'server' | 'client';
  private readonly settings: Http2Settings;
  private readonly limits: Http2Limits;
  private readonly sink: Http2Sink;
  private readonly out: () => ByteWriter;
  private readonly frames: FrameReader;
  private readonly heads: HeadReader;
  private readonly writer = new HeadWriter();
  private readonly streams = new StreamTable();
  private readonly floods: FloodGuard;
  private prefaceLeft: number;
  private hasPeerSettings = false;
  /** Highest identifier that the peer used (server) or that we used (client). */
  private lastId = 0;
  private goAwayLastId = maxWindow;
  private sendWindow = 65_535;
  private receiveWindow = 65_535;
  private unannounced = 0;
  private starved: Http2Stream[] = [];
  private readonly resetIds: number[] = [];
  // A header block under way: its stream, its bytes so far, and what its first frame said.
  private blockId = 0;
  private block: Buffer = Buffer.alloc(0);
  private blockFrames = 0;
  private blockEndsStream = false;
  private blockBytesMax: number;

  constructor(
    role: 'server' | 'client',
    settings: Http2Settings,
    limits: Http2Limits,
    sink: Http2Sink,
    out: () => ByteWriter,
  ) {
    this.role = role;
    this.settings = settings;
    this.limits = limits;
    this.sink = sink;
    this.out = out;
    this.frames = new FrameReader(settings.maxFrameBytes, this);
    this.heads = new HeadReader(settings.headerTableSize, limits);
    this.floods = new FloodGuard(limits);
    this.prefaceLeft = role === 'server' ? preface.length : 0;
    this.blockBytesMax = limits.maxHeaderListBytes + settings.maxFrameBytes;
  }

  /** Writes our preface: SETTINGS, and the connection's window. */
  start(): void {
    const out = this.out();
    if (this.role === 'client') out.append(preface, 0, preface.length);
    writeOwnSettings(out, this.role, this.settings, this.limits.maxHeaderListBytes);
    const more = this.settings.connectionWindowBytes - this.receiveWindow;
    if (more <= 0) return;
    this.receiveWindow += more;
    writeWindowUpdate(out, 0, more);
  }

  get activeStreams(): number {
    return this.streams.size;
  }

  get peerMaxStreams(): number {
    return this.peer.maxConcurrentStreams;
  }

  /** A second has passed: floods are forgiven bit by bit. */
  tick(): void {
    this.floods.tick();
  }

  // ---- receiving

  decode(buffer: Buffer, start: number, end: number): void {
    if (this.error !== null) return;
    const at = this.prefaceLeft === 0 ? start : this.readPreface(buffer, start, end);
    if (at < 0) {
      this.fail(http2Error.bad_preface);
      return;
    }
    if (at >= end) return;
    const error = this.frames.read(buffer, at, end);
    if (error !== null) this.fail(error);
  }

  private readPreface(buffer: Buffer, start: number, end: number): number {
    const done = preface.length - this.prefaceLeft;
    const taken = Math.min(this.prefaceLeft, end - start);
    if (preface.compare(buffer, start, start + taken, done, done + taken) !== 0) return -1;
    this.prefaceLeft -= taken;
    return start + taken;
  }

  private fail(error: Http2Error): void {
    if (this.error !== null) return;
    this.error = error;
    writeGoAway(this.out(), this.role === 'server' ? this.lastId : 0, error.wire);
    this.sink.onConnectionError(error);
  }

  onFrameHead(type: number, flags: number, id: number, length: number): Http2Error | null {
    if (!this.hasPeerSettings && (type !== SETTINGS || (flags & ACK) !== 0)) return http2Error.settings_first;
    if (breaksBlock(this.blockId, type, id)) return http2Error.expected_continuation;
    if (type !== DATA) return null;
    if (id === 0) return http2Error.bad_stream_id;
    this.receiveWindow -= length;
    if (this.receiveWindow < 0) return http2Error.window_exceeded;
    const stream = this.streams.get(id);
    if (stream === null || stream.isRemoteEnded) return this.onLateData(stream, id, length);
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.resetWith(stream, http2Error.window_exceeded);
      return null;
    }
    this.isLastData = (flags & END_STREAM) !== 0;
    this.dataStream = stream;
    if (length === 0 && !this.isLastData) return this.floods.onEmptyFrame();
    const content = (flags & PADDED) === 0 ? length : 0;
    // Padding is used up as it comes; its size is known with its first byte only, so padded frames are accounted by their parts.
    this.paddedLength = (flags & PADDED) === 0 ? 0 : length;
    return content === 0 && this.paddedLength === 0 ? null : this.checkHead(stream);
  }

  private isLastData = false;
  private dataStream: Http2Stream | null = null;
  private paddedLength = 0;

  private checkHead(stream: Http2Stream): Http2Error | null {
    // DATA before the response head is no message.
    if (this.role === 'client' && !stream.hasHead) this.resetWith(stream, http2Error.malformed_head);
    return null;
  }

  private onLateData(stream: Http2Stream | null, id: number, length: number): Http2Error | null {
    this.dataStream = null;
    this.paddedLength = 0;
    if (this.isIdle(id)) return http2Error.idle_stream;
    this.giveBack(length);
    if (stream !== null) this.resetWith(stream, http2Error.half_closed_stream);
    else if (!this.resetIds.includes(id)) {
      this.writeResetOf(id, ErrorCode.STREAM_CLOSED);
      return this.floods.onReset();
    }
    return null;
  }

  private isIdle(id: number): boolean {
    if ((id & 1) === 1) return id > this.lastId;
    // Even identifiers would be pushed streams, which nobody may open here.
    return true;
  }

  onDataPart(_id: number, buffer: Buffer, offset: number, length: number, isLast: boolean): Http2Error | null {
    const stream = this.dataStream;
    if (stream === null || stream.isClosed) return null;
    if (this.paddedLength > 0) this.paddedLength -= length;
    if (isLast && this.paddedLength > 0) {
      this.consume(stream, this.paddedLength);
      this.paddedLength = 0;
    }
    const ends = isLast && this.isLastData;
    if (stream.expectedBytes >= 0) {
      stream.expectedBytes -= length;
      if (stream.expectedBytes < 0 || (ends && stream.expectedBytes > 0)) {
        this.resetWith(stream, http2Error.length_mismatch);
        return null;
      }
    }
    if (ends) stream.isRemoteEnded = true;
    if (length > 0 || ends) this.sink.onData(stream, buffer, offset, length, ends);
    if (ends) this.forgetIfOver(stream);
    return null;
  }

  onFrame(type: number, flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    switch (type) {
      case HEADERS:
        return this.onHeaders(flags, id, payload, start, end);
      case CONTINUATION:
        return this.onContinuation(flags, id, payload, start, end);
      case SETTINGS:
        return this.onSettings(flags, id, payload, start, end);
      case WINDOW_UPDATE:
        return this.onWindowUpdate(id, payload, start, end);
      case RST_STREAM:
        return this.onResetFrame(id, payload, start, end);
      case PING:
        return this.onPing(flags, id, payload, start, end);
      case GOAWAY:
        return this.onGoAwayFrame(id, payload, start, end);
      case PRIORITY:
        return this.onPriority(id, payload, start, end);
      case PUSH_PROMISE:
        return http2Error.push_refused;
      default:
        // RFC 9113 §5.5: unknown types are left alone.
        return null;
    }
  }

  // ---- header blocks

  private onHeaders(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (id === 0) return http2Error.bad_stream_id;
    let from = start;
    let to = end;
    if ((flags & PADDED) !== 0) {
      if (from >= to) return http2Error.bad_frame_size;
      to -= payload[from++] as number;
    }
    if ((flags & HAS_PRIORITY) !== 0) {
      if (to - from < priorityBytes) return http2Error.bad_padding;
      if ((payload.readUInt32BE(from) & 0x7fffffff) === id) return http2Error.self_dependency;
      from += priorityBytes;
    }
    if (from > to) return http2Error.bad_padding;
    this.blockEndsStream = (flags & END_STREAM) !== 0;
    if ((flags & END_HEADERS) !== 0) return this.onBlock(id, payload, from, to);
    this.blockId = id;
    this.blockFrames = 0;
    this.block = Buffer.from(payload.subarray(from, to));
    return null;
  }

  private onContinuation(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (this.blockId === 0) return http2Error.unexpected_continuation;
    this.blockFrames++;
    if (this.blockFrames > this.limits.maxContinuations || this.block.length + end - start > this.blockBytesMax) {
      return http2Error.header_block_flood;
    }
    this.block = Buffer.concat([this.block, payload.subarray(start, end)]);
    if ((flags & END_HEADERS) === 0) return null;
    const { block } = this;
    this.blockId = 0;
    this.block = Buffer.alloc(0);
    return this.onBlock(id, block, 0, block.length);
  }

  private onBlock(id: number, buffer: Buffer, start: number, end: number): Http2Error | null {
    const stream = this.streams.get(id);
    if (stream === null)
      return this.role === 'server'
        ? this.onNewRequest(id, buffer, start, end)
        : this.onLateBlock(id, buffer, start, end);
    if (stream.isRemoteEnded) {
      const lost = this.heads.readTrailers(buffer, start, end) === 'compression';
      if (!lost) this.resetWith(stream, http2Error.half_closed_stream);
      return lost ? http2Error.compression : http2Error.half_closed_stream;
    }
    return this.role === 'server' || stream.hasHead
      ? this.onTrailerBlock(stream, buffer, start, end)
      : this.onResponseBlock(stream, buffer, start, end);
  }

  // The block must be decoded all the same: it may change the table.
  private onLateBlock(id: number, buffer: Buffer, start: number, end: number): Http2Error | null {
    if (this.isIdle(id)) return http2Error.idle_stream;
    if (this.heads.readTrailers(buffer, start, end) === 'compression') return http2Error.compression;
    return this.resetIds.includes(id) ? null : http2Error.closed_stream;
  }

  private onNewRequest(id: number, buffer: Buffer, start: number, end: number): Http2Error | null {
    if ((id & 1) === 0) return http2Error.bad_stream_id;
    if (id <= this.lastId) return this.onLateBlock(id, buffer, start, end);
    const head = this.heads.readRequest(buffer, start, end);
    if (head === 'compression') return http2Error.compression;
    this.lastId = id;
    if (id > this.goAwayLastId || this.streams.size >= this.settings.maxConcurrentStreams) {
      this.writeResetOf(id, ErrorCode.REFUSED_STREAM);
      return this.floods.onReset();
    }
    if (head === 'malformed') {
      this.writeResetOf(id, ErrorCode.PROTOCOL_ERROR);
      return this.floods.onReset();
    }
    this.openFor(id, head);
    return null;
  }

  private openFor(id: number, head: H2RequestHead | NoHead): void {
    const stream = this.streams.add(id, this.peer.initialWindow, this.settings.initialWindowBytes);
    const ends = this.blockEndsStream;
    stream.isRemoteEnded = ends;
    if (typeof head === 'string') {
      this.sink.onRequest?.(stream, { ...tooLargeHead, block: noBlock }, ends);
      return;
    }
    stream.isHeadRequest = head.method === 'HEAD';
    stream.expectedBytes = head.contentLength;
    if (ends && head.contentLength > 0) {
      this.resetWith(stream, http2Error.length_mismatch);
      return;
    }
    this.sink.onRequest?.(stream, head, ends);
  }

  private onTrailerBlock(stream: Http2Stream, buffer: Buffer, start: number, end: number): Http2Error | null {
    const trailers = this.heads.readTrailers(buffer, start, end);
    if (trailers === 'compression') return http2Error.compression;
    if (typeof trailers === 'string') this.resetWith(stream, http2Error.malformed_head);
    else if (!this.blockEndsStream) this.resetWith(stream, http2Error.trailers_without_end);
    else if (stream.expectedBytes > 0) this.resetWith(stream, http2Error.length_mismatch);
    else {
      stream.isRemoteEnded = true;
      this.sink.onTrailers(stream, trailers);
      this.forgetIfOver(stream);
    }
    return null;
  }

  private onResponseBlock(stream: Http2Stream, buffer: Buffer, start: number, end: number): Http2Error | null {
    const head = this.heads.readResponse(buffer, start, end);
    if (head === 'compression') return http2Error.compression;
    if (typeof head === 'string') this.resetWith(stream, http2Error.malformed_head);
    else if (head.status < 200) {
      if (this.blockEndsStream) this.resetWith(stream, http2Error.malformed_head);
      else this.sink.onInformational?.(stream, head.status, head.block);
    } else this.onFinalResponse(stream, head);
    return null;
  }

  private onFinalResponse(stream: Http2Stream, head: H2ResponseHead): void {
    const ends = this.blockEndsStream;
    stream.hasHead = true;
    stream.isRemoteEnded = ends;
    const hasBody = !stream.isHeadRequest && head.status !== 304 && head.status !== 204;
    stream.expectedBytes = hasBody ? head.contentLength : -1;
    if (ends && stream.expectedBytes > 0) {
      this.resetWith(stream, http2Error.length_mismatch);
      return;
    }
    this.sink.onResponse?.(stream, head.status, head.block, ends);
    this.forgetIfOver(stream);
  }

  // ---- other frames

  private onSettings(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (id !== 0) return http2Error.bad_stream_id;
    if ((flags & ACK) !== 0) return end === start ? null : http2Error.bad_frame_size;
    if ((end - start) % 6 !== 0) return http2Error.bad_frame_size;
    this.hasPeerSettings = true;
    const windowBefore = this.peer.initialWindow;
    const error = this.peer.read(payload, start, end, this.role) ?? this.floods.onSettings();
    if (error !== null) return error;
    this.writer.encoder.setPeerTableSize(this.peer.headerTableSize);
    this.writer.maxFrameBytes = Math.min(this.peer.maxFrameBytes, 65_536);
    writeSettingsAck(this.out());
    const change = this.peer.initialWindow - windowBefore;
    if (change !== 0 && !this.shiftWindows(change)) return http2Error.window_overflow;
    this.sink.onSettings?.();
    return null;
  }

  private shiftWindows(change: number): boolean {
    for (const stream of this.streams.all()) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindow) return false;
    }
    if (change > 0) this.wakeStarved();
    return true;
  }

  private onWindowUpdate(id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (end - start !== 4) return http2Error.bad_frame_size;
    const increment = payload.readUInt32BE(start) & maxWindow;
    const flood = this.floods.onWindowUpdate();
    if (flood !== null) return flood;
    if (id === 0) {
      if (increment === 0) return http2Error.zero_increment;
      this.sendWindow += increment;
      if (this.sendWindow > maxWindow) return http2Error.window_overflow;
      this.wakeStarved();
      return null;
    }
    const stream = this.streams.get(id);
    if (stream === null) return this.isIdle(id) ? http2Error.idle_stream : null;
    stream.sendWindow += increment;
    if (increment === 0) this.resetWith(stream, http2Error.zero_increment);
    else if (stream.sendWindow > maxWindow) this.resetWith(stream, http2Error.window_overflow);
    else if (stream.isStarved && stream.sendWindow > 0 && this.sendWindow > 0) {
      stream.isStarved = false;
      this.sink.onWritable(stream);
    }
    return null;
  }

  private wakeStarved(): void {
    const waiting = this.starved;
    this.starved = [];
    for (const stream of waiting) {
      if (stream.isClosed || !stream.isStarved) continue;
      if (this.sendWindow <= 0 || stream.sendWindow <= 0) {
        this.starved.push(stream);
        continue;
      }
      stream.isStarved = false;
      this.sink.onWritable(stream);
    }
  }

  private onResetFrame(id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (end - start !== 4) return http2Error.bad_frame_size;
    if (id === 0) return http2Error.bad_stream_id;
    const stream = this.streams.get(id);
    if (stream === null) return this.isIdle(id) ? http2Error.idle_stream : null;
    this.drop(stream);
    this.sink.onReset(stream, payload.readUInt32BE(start), true);
    return this.role === 'server' ? this.floods.onReset() : null;
  }

  private onPing(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (id !== 0) return http2Error.bad_stream_id;
    if (end - start !== 8) return http2Error.bad_frame_size;
    if ((flags & ACK) !== 0) return null;
    writePing(this.out(), ACK, payload, start);
    return this.floods.onPing();
  }

  private onGoAwayFrame(id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (id !== 0) return http2Error.bad_stream_id;
    if (end - start < 8) return http2Error.bad_frame_size;
    const lastId = payload.readUInt32BE(start) & maxWindow;
    const code = payload.readUInt32BE(start + 4);
    this.isGoingAway = true;
    if (this.role === 'client') {
      // What the peer has not taken may be sent elsewhere without harm (RFC 9113 §6.8).
      for (const stream of this.streams.all()) {
        if (stream.id <= lastId) continue;
        this.drop(stream);
        this.sink.onReset(stream, ErrorCode.REFUSED_STREAM, true);
      }
    }
    this.sink.onGoAway(lastId, code);
    return null;
  }

  private onPriority(id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (id === 0) return http2Error.bad_stream_id;
    const stream = this.streams.get(id);
    if (end - start !== priorityBytes) {
      if (stream === null) return http2Error.bad_frame_size;
      this.resetWith(stream, http2Error.bad_frame_size);
      return null;
    }
    if ((payload.readUInt32BE(start) & maxWindow) === id) return http2Error.self_dependency;
    return this.floods.onPriority();
  }

  // ---- sending

  /** Opens a stream; null when the peer takes no more. */
  openStream(head: H2OutgoingHead, endStream: boolean): Http2Stream | null {
    if (this.error !== null || this.isGoingAway || this.streams.size >= this.peer.maxConcurrentStreams) return null;
    const id = this.lastId === 0 ? 1 : this.lastId + 2;
    if (id > maxWindow) return null;
    this.lastId = id;
    const stream = this.streams.add(id, this.peer.initialWindow, this.settings.initialWindowBytes);
    stream.isLocalEnded = endStream;
    stream.isHeadRequest = head.method === 'HEAD';
    this.writer.writeRequest(this.out(), id, head, endStream);
    return stream;
  }

  /** A response head, or an informational one (1xx). */
  sendResponseHead(stream: Http2Stream, status: number, headers: Headers, endStream: boolean): void {
    if (!this.maySend(stream)) return;
    if (status >= 200) stream.hasHead = true;
    this.writer.writeResponse(this.out(), stream.id, status, headers, endStream);
    if (endStream) this.endLocal(stream);
  }

  /** Sends what the windows allow and returns how much that was; with the last byte goes the end, if it is asked for. */
  sendData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): number {
    if (!this.maySend(stream)) return length;
    const allowed = Math.min(length, Math.max(0, Math.min(this.sendWindow, stream.sendWindow)));
    const ends = endStream && allowed === length;
    if (allowed > 0 || ends) this.writeData(stream, buffer, offset, allowed, ends);
    if (allowed < length && !stream.isStarved) {
      stream.isStarved = true;
      this.starved.push(stream);
    }
    if (ends) this.endLocal(stream);
    return allowed;
  }

  private writeData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, ends: boolean): void {
    const out = this.out();
    const max = this.peer.maxFrameBytes;
    this.sendWindow -= length;
    stream.sendWindow -= length;
    let at = offset;
    let left = length;
    do {
      const size = Math.min(left, max);
      left -= size;
      writeFrameHead(out, size, DATA, ends && left === 0 ? END_STREAM : 0, stream.id);
      if (size > 0) out.append(buffer, at, size);
      at += size;
      this.floods.onDataSent();
    } while (left > 0);
  }

  sendTrailers(stream: Http2Stream, trailers: Headers): void {
    if (!this.maySend(stream)) return;
    this.writer.writeTrailers(this.out(), stream.id, trailers);
    this.endLocal(stream);
  }

  private maySend(stream: Http2Stream): boolean {
    return this.error === null && !stream.isClosed && !stream.isLocalEnded;
  }

  private endLocal(stream: Http2Stream): void {
    stream.isLocalEnded = true;
    this.forgetIfOver(stream);
  }

  /** Ends the stream at once, in both directions; the user hears nothing more of it. */
  resetStream(stream: Http2Stream, code: number): void {
    if (stream.isClosed) return;
    this.drop(stream);
    this.writeResetOf(stream.id, code);
  }

  private resetWith(stream: Http2Stream, error: Http2Error): void {
    if (stream.isClosed) return;
    this.drop(stream);
    this.writeResetOf(stream.id, error.wire);
    this.sink.onReset(stream, error.wire, false);
  }

  private writeResetOf(id: number, code: number): void {
    if (this.error !== null) return;
    if (this.resetIds.push(id) > rememberedResets) this.resetIds.shift();
    writeReset(this.out(), id, code);
  }

  private forgetIfOver(stream: Http2Stream): void {
    if (stream.isLocalEnded && stream.isRemoteEnded && !stream.isClosed) this.drop(stream);
  }

  private drop(stream: Http2Stream): void {
    stream.isClosed = true;
    this.streams.remove(stream);
    // What its user has not passed on, and now never will, counts against the connection no longer.
    this.giveBack(this.settings.initialWindowBytes - stream.receiveWindow - stream.unannounced);
  }

  /** The user has passed on that many received bytes: the peer may send as many again. */
  consume(stream: Http2Stream, bytes: number): void {
    if (bytes <= 0 || stream.isClosed) return;
    this.giveBack(bytes);
    stream.unannounced += bytes;
    if (stream.isRemoteEnded || stream.unannounced * 2 < this.settings.initialWindowBytes) return;
    stream.receiveWindow += stream.unannounced;
    if (this.error === null) writeWindowUpdate(this.out(), stream.id, stream.unannounced);
    stream.unannounced = 0;
  }

  private giveBack(bytes: number): void {
    this.unannounced += bytes;
    if (this.unannounced * 2 < this.settings.connectionWindowBytes) return;
    this.receiveWindow += this.unannounced;
    if (this.error === null) writeWindowUpdate(this.out(), 0, this.unannounced);
    this.unannounced = 0;
  }

  /** Says that streams should go elsewhere soon; those on their way are still taken (RFC 9113 §6.8). */
  shutdownNotice(): void {
    if (this.error === null) writeGoAway(this.out(), maxWindow, ErrorCode.NO_ERROR);
  }

  /** The last word on which streams were taken. */
  goAway(code: number): void {
    if (this.error !== null) return;
    this.goAwayLastId = this.lastId;
    writeGoAway(this.out(), this.role === 'server' ? this.lastId : 0, code);
  }
}

const noBlock: HeaderBlock = emptyHeaderBlock;
