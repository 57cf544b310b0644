// The HTTP/2 machine of one connection, either side (RFC 9113): frames in and out, streams, flow control, settings, ending.
// Bytes in by `decode`, bytes out into the arena that `out` gives. No sockets, no timers: `tick` tells that a second has passed.

import type { ByteWriter } from '@weft/lib/bytes';
import { emptyHeaderBlock, type Headers } from '@weft/lib/header';
import { ErrorCode, type Http2Error, http2Error } from './error.ts';
import { FloodGuard } from './flood-guard.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_STREAM,
  GOAWAY,
  HEADERS,
  maxWindow,
  PADDED,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  writeFrameHead,
  writeGoAway,
  writePing,
  writeReset,
  writeSettingsAck,
} from './frame.ts';
import { checkFrame } from './frame-check.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { HeadReader, type NoHead } from './head-reader.ts';
import { HeadWriter } from './head-writer.ts';
import { HeaderBlockReader } from './header-block-reader.ts';
import type { Http2Sink } from './http2-sink.ts';
import type { H2OutgoingHead, H2RequestHead, H2ResponseHead } from './message.ts';
import { PeerSettings, preface, writeOwnSettings } from './peer-settings.ts';
import { ReceiveFlow } from './receive-flow.ts';
import { SendFlow } from './send-flow.ts';
import type { Http2Limits, Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

export type { Http2Sink } from './http2-sink.ts';
export type { Http2Limits, Http2Settings } from './settings.ts';
export { Http2Stream } from './stream.ts';

const tooLargeHead: H2RequestHead = {
  method: '',
  path: '',
  authority: '',
  scheme: '',
  protocol: null,
  block: emptyHeaderBlock,
  contentLength: -1,
  tooLarge: true,
  minor: 2,
};
const priorityBytes = 5;
/** Streams that we reset: frames that were on their way are not held against the peer. */
const rememberedResets = 64;
/** What one frame may hold towards a peer that takes larger ones: others should get their turn. */
const frameBytesMax = 65_536;

export class Http2Connection implements FrameSink {
  error: Http2Error | null = null;
  /** No stream can be opened any more (client). */
  isGoingAway = false;
  readonly peer: PeerSettings = new PeerSettings();
  private readonly role: 'server' | 'client';
  private readonly settings: Http2Settings;
  private readonly limits: Http2Limits;
  private readonly sink: Http2Sink;
  private readonly out: () => ByteWriter;
  private readonly frames: FrameReader;
  private readonly blocks: HeaderBlockReader;
  private readonly heads: HeadReader;
  private readonly writer = new HeadWriter();
  private readonly streams = new StreamTable();
  private readonly floods: FloodGuard;
  private readonly received: ReceiveFlow;
  private readonly sent = new SendFlow();
  private prefaceLeft: number;
  private hasPeerSettings = false;
  private isAcknowledged = false;
  private slowTicks = 0;
  /** Highest identifier that the peer used (server) or that we used (client). */
  private lastId = 0;
  private goAwayLastId = maxWindow;
  private readonly resetIds: number[] = [];
  // The DATA frame under way: its stream unless that is over, whether it ends it, and its bytes that are not content.
  private dataStream: Http2Stream | null = null;
  private dataEndsStream = false;
  private paddedLength = 0;

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
    this.blocks = new HeaderBlockReader(limits.maxContinuations, limits.maxHeaderListBytes + settings.maxFrameBytes);
    this.heads = new HeadReader(settings.headerTableSize, limits);
    this.floods = new FloodGuard(limits);
    this.received = new ReceiveFlow(settings, out);
    this.prefaceLeft = role === 'server' ? preface.length : 0;
  }

  /** Writes our preface: SETTINGS, and the connection's window. */
  start(): void {
    const out = this.out();
    if (this.role === 'client') out.append(preface, 0, preface.length);
    writeOwnSettings(out, this.role, this.settings, this.limits.maxHeaderListBytes);
    this.received.start();
  }

  get activeStreams(): number {
    return this.streams.size;
  }

  get peerMaxStreams(): number {
    return this.peer.maxConcurrentStreams;
  }

  /** A second has passed: floods are forgiven bit by bit, and what stays half said is held against the peer. */
  tick(): void {
    this.floods.tick();
    if (this.error !== null) return;
    const isSlow = !this.hasPeerSettings || this.blocks.openId !== 0 || this.frames.isInsideFrame;
    this.slowTicks = isSlow ? this.slowTicks + 1 : 0;
    if (this.slowTicks <= this.limits.maxSlowTicks) return;
    this.fail(this.hasPeerSettings ? http2Error.slow_frame : http2Error.slow_settings);
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
    if (this.blocks.isBrokenBy(type, id)) return http2Error.expected_continuation;
    // A frame that begins is no slow one: only one that does not end.
    if (this.blocks.openId === 0) this.slowTicks = 0;
    const error = checkFrame(type, flags, id, length);
    if (error !== null || type !== DATA) return error;
    return this.onDataHead(flags, id, length);
  }

  private onDataHead(flags: number, id: number, length: number): Http2Error | null {
    const stream = this.streams.get(id);
    this.dataStream = null;
    // Padding is used up as it comes; how much it is shows at the end of the frame.
    this.paddedLength = (flags & PADDED) === 0 ? 0 : length;
    this.dataEndsStream = (flags & END_STREAM) !== 0;
    if (stream === null && this.isIdle(id)) return http2Error.idle_stream;
    if (!this.received.take(length)) return http2Error.window_exceeded;
    if (stream === null || stream.isRemoteEnded) return this.onLateData(stream, id, length);
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) return this.resetWith(stream, http2Error.window_exceeded);
    // DATA before the response head is no message.
    if (this.role === 'client' && !stream.hasHead) return this.resetWith(stream, http2Error.malformed_head);
    this.dataStream = stream;
    return length === 0 && !this.dataEndsStream ? this.floods.onEmptyFrame() : null;
  }

  private onLateData(stream: Http2Stream | null, id: number, length: number): Http2Error | null {
    this.received.giveBack(length);
    if (stream !== null) return this.resetWith(stream, http2Error.half_closed_stream);
    if (this.resetIds.includes(id)) return null;
    this.writeResetOf(id, ErrorCode.STREAM_CLOSED);
    return this.floods.onReset();
  }

  private isIdle(id: number): boolean {
    // Even identifiers would be pushed streams, which nobody may open here.
    return (id & 1) === 0 || id > this.lastId;
  }

  onDataPart(_id: number, buffer: Buffer, offset: number, length: number, isLast: boolean): Http2Error | null {
    const stream = this.dataStream;
    if (stream === null || stream.isClosed) return null;
    const ends = isLast && this.dataEndsStream;
    if (this.paddedLength > 0) {
      const flood = this.onPaddedPart(stream, length, isLast, ends);
      if (flood !== null) return flood;
    }
    if (stream.expectedBytes >= 0) {
      stream.expectedBytes -= length;
      if (stream.expectedBytes < 0 || (ends && stream.expectedBytes > 0)) {
        return this.resetWith(stream, http2Error.length_mismatch);
      }
    }
    if (ends) stream.isRemoteEnded = true;
    if (length > 0 || ends) this.sink.onData(stream, buffer, offset, length, ends);
    if (ends) this.forgetIfOver(stream);
    return null;
  }

  private onPaddedPart(stream: Http2Stream, length: number, isLast: boolean, ends: boolean): Http2Error | null {
    this.paddedLength -= length;
    if (!isLast) return null;
    this.consume(stream, this.paddedLength);
    this.paddedLength = 0;
    return length === 0 && !ends ? this.floods.onEmptyFrame() : null;
  }

  onFrame(type: number, flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    switch (type) {
      case HEADERS:
        return this.blocks.begin(flags, id, payload, start, end) ?? this.onBlock(id);
      case CONTINUATION:
        return this.blocks.append(flags, payload, start, end) ?? this.onBlock(id);
      case SETTINGS:
        return (flags & ACK) === 0 ? this.onSettings(payload, start, end) : this.onSettingsAck();
      case WINDOW_UPDATE:
        return this.onWindowUpdate(id, payload.readUInt32BE(start) & maxWindow);
      case RST_STREAM:
        return this.onResetFrame(id, payload.readUInt32BE(start));
      case PING:
        return this.onPing(flags, payload, start);
      case GOAWAY:
        return this.onGoAwayFrame(payload.readUInt32BE(start) & maxWindow, payload.readUInt32BE(start + 4));
      case PRIORITY:
        return this.onPriority(id, payload, start, end);
      default:
        return null;
    }
  }

  // ---- header blocks

  private onBlock(id: number): Http2Error | null {
    if (!this.blocks.isComplete) return null;
    const stream = this.streams.get(id);
    if (stream === null) return this.role === 'server' ? this.onNewRequest(id) : this.onLateBlock(id);
    if (stream.isRemoteEnded) {
      if (this.readTrailers() === 'compression') return http2Error.compression;
      return this.resetWith(stream, http2Error.half_closed_stream);
    }
    if (this.role === 'server' || stream.hasHead) return this.onTrailerBlock(stream);
    return this.onResponseBlock(stream);
  }

  private readTrailers(): ReturnType<HeadReader['readTrailers']> {
    const { buffer, start, end } = this.blocks;
    return this.heads.readTrailers(buffer, start, end);
  }

  // The block must be decoded all the same: it may change the table.
  private onLateBlock(id: number): Http2Error | null {
    if (this.isIdle(id)) return http2Error.idle_stream;
    if (this.readTrailers() === 'compression') return http2Error.compression;
    return this.resetIds.includes(id) ? this.floods.onEmptyFrame() : http2Error.closed_stream;
  }

  private onNewRequest(id: number): Http2Error | null {
    if ((id & 1) === 0) return http2Error.bad_stream_id;
    if (id <= this.lastId) return this.onLateBlock(id);
    const { buffer, start, end } = this.blocks;
    const head = this.heads.readRequest(buffer, start, end);
    if (head === 'compression') return http2Error.compression;
    this.lastId = id;
    if (id > this.goAwayLastId || this.streams.size >= this.settings.maxConcurrentStreams) {
      this.writeResetOf(id, ErrorCode.REFUSED_STREAM);
      return this.floods.onReset();
    }
    if (head === 'malformed' || !this.isExpected(head)) {
      this.writeResetOf(id, ErrorCode.PROTOCOL_ERROR);
      return this.floods.onReset();
    }
    this.openFor(id, head);
    return null;
  }

  // An extended CONNECT that was not offered, and a body that is missing, are no messages either.
  private isExpected(head: H2RequestHead | NoHead): boolean {
    if (typeof head === 'string') return true;
    if (head.protocol !== null && !this.settings.enablesConnectProtocol) return false;
    return !this.blocks.endsStream || head.contentLength <= 0;
  }

  private openFor(id: number, head: H2RequestHead | NoHead): void {
    const stream = this.streams.add(id, this.peer.initialWindow, this.received.initialWindow);
    const ends = this.blocks.endsStream;
    stream.isRemoteEnded = ends;
    this.floods.onStream();
    if (typeof head !== 'string') stream.expectedBytes = head.contentLength;
    this.sink.onRequest?.(stream, typeof head === 'string' ? tooLargeHead : head, ends);
  }

  private onTrailerBlock(stream: Http2Stream): Http2Error | null {
    const trailers = this.readTrailers();
    if (trailers === 'compression') return http2Error.compression;
    if (typeof trailers === 'string') return this.resetWith(stream, http2Error.malformed_head);
    if (!this.blocks.endsStream) return this.resetWith(stream, http2Error.trailers_without_end);
    if (stream.expectedBytes > 0) return this.resetWith(stream, http2Error.length_mismatch);
    stream.isRemoteEnded = true;
    this.sink.onTrailers(stream, trailers);
    this.forgetIfOver(stream);
    return null;
  }

  private onResponseBlock(stream: Http2Stream): Http2Error | null {
    const { buffer, start, end } = this.blocks;
    const head = this.heads.readResponse(buffer, start, end);
    if (head === 'compression') return http2Error.compression;
    if (typeof head === 'string') return this.resetWith(stream, http2Error.malformed_head);
    if (head.status >= 200) return this.onFinalResponse(stream, head);
    if (this.blocks.endsStream) return this.resetWith(stream, http2Error.malformed_head);
    this.sink.onInformational?.(stream, head.status, head.block);
    return this.floods.onEmptyFrame();
  }

  private onFinalResponse(stream: Http2Stream, head: H2ResponseHead): Http2Error | null {
    const ends = this.blocks.endsStream;
    stream.hasHead = true;
    stream.isRemoteEnded = ends;
    stream.expectedBytes = expectedBytes(stream, head);
    if (ends && stream.expectedBytes > 0) return this.resetWith(stream, http2Error.length_mismatch);
    this.sink.onResponse?.(stream, head.status, head.block, ends);
    this.forgetIfOver(stream);
    return null;
  }

  // ---- other frames

  private onSettings(payload: Buffer, start: number, end: number): Http2Error | null {
    const windowBefore = this.peer.initialWindow;
    if (!this.hasPeerSettings) this.peer.begin();
    this.hasPeerSettings = true;
    const error = this.peer.read(payload, start, end, this.role) ?? this.floods.onSettings();
    if (error !== null) return error;
    this.writer.encoder.setPeerTableSize(this.peer.headerTableSize);
    this.writer.maxFrameBytes = Math.min(this.peer.maxFrameBytes, frameBytesMax);
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
    if (change > 0) this.wakeAll();
    return true;
  }

  // Only now does the peer keep to what we announced.
  private onSettingsAck(): Http2Error | null {
    if (this.isAcknowledged) return this.floods.onSettings();
    this.isAcknowledged = true;
    this.heads.acknowledgeTableSize();
    const shrinks = this.received.acknowledge();
    if (shrinks > 0) for (const stream of this.streams.all()) stream.receiveWindow -= shrinks;
    return null;
  }

  private onWindowUpdate(id: number, increment: number): Http2Error | null {
    const flood = this.floods.onWindowUpdate();
    if (flood !== null) return flood;
    if (id === 0) {
      if (increment === 0) return http2Error.zero_increment;
      if (!this.sent.open(increment)) return http2Error.window_overflow;
      this.wakeAll();
      return null;
    }
    const stream = this.streams.get(id);
    if (stream === null) return this.isIdle(id) ? http2Error.idle_stream : null;
    if (increment === 0) return this.resetWith(stream, http2Error.zero_increment);
    stream.sendWindow += increment;
    if (stream.sendWindow > maxWindow) return this.resetWith(stream, http2Error.window_overflow);
    if (this.sent.wakes(stream)) this.sink.onWritable(stream);
    return null;
  }

  private wakeAll(): void {
    for (const stream of this.sent.waiters()) if (this.sent.wakes(stream)) this.sink.onWritable(stream);
  }

  private onResetFrame(id: number, code: number): Http2Error | null {
    const stream = this.streams.get(id);
    if (stream === null) return this.isIdle(id) ? http2Error.idle_stream : null;
    this.drop(stream);
    this.sink.onReset(stream, code, true);
    return this.role === 'server' ? this.floods.onReset() : null;
  }

  private onPing(flags: number, payload: Buffer, start: number): Http2Error | null {
    const flood = this.floods.onPing();
    if (flood === null && (flags & ACK) === 0) writePing(this.out(), ACK, payload, start);
    return flood;
  }

  private onGoAwayFrame(lastId: number, code: number): Http2Error | null {
    this.isGoingAway = true;
    if (this.role === 'client') {
      // What the peer has not taken may be sent elsewhere without harm (RFC 9113 §6.8).
      for (const stream of this.streams.all()) {
        if (stream.id <= lastId || stream.isClosed) continue;
        this.drop(stream);
        this.sink.onReset(stream, ErrorCode.REFUSED_STREAM, true);
      }
    }
    this.sink.onGoAway(lastId, code);
    return this.floods.onSettings();
  }

  private onPriority(id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (end - start !== priorityBytes) {
      const stream = this.streams.get(id);
      return stream === null ? http2Error.bad_frame_size : this.resetWith(stream, http2Error.bad_frame_size);
    }
    if ((payload.readUInt32BE(start) & maxWindow) === id) return http2Error.self_dependency;
    return this.floods.onPriority();
  }

  // ---- sending

  /** Opens a stream; null when the peer takes no more. */
  openStream(head: H2OutgoingHead, endStream: boolean): Http2Stream | null {
    if (this.error !== null || this.isGoingAway || this.streams.size >= this.peer.maxConcurrentStreams) return null;
    const id = this.lastId === 0 ? 1 : this.lastId + 2;
    this.lastId = id;
    // That was the last identifier there is.
    if (id + 2 > maxWindow) this.isGoingAway = true;
    const stream = this.streams.add(id, this.peer.initialWindow, this.received.initialWindow);
    stream.isLocalEnded = endStream;
    stream.isHeadRequest = head.method === 'HEAD';
    stream.isConnect = head.method === 'CONNECT';
    this.floods.onStream();
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
    const allowed = this.sent.allowed(stream, length);
    const ends = endStream && allowed === length;
    if (allowed > 0 || ends) this.writeData(stream, buffer, offset, allowed, ends);
    if (allowed < length) this.sent.wait(stream);
    if (ends) this.endLocal(stream);
    return allowed;
  }

  private writeData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, ends: boolean): void {
    const out = this.out();
    const max = this.writer.maxFrameBytes;
    this.sent.use(stream, length);
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

  // A client that makes us reset its streams costs as much as one that resets them itself.
  private resetWith(stream: Http2Stream, error: Http2Error): Http2Error | null {
    if (stream.isClosed) return null;
    this.drop(stream);
    this.writeResetOf(stream.id, error.wire);
    this.sink.onReset(stream, error.wire, false);
    return this.role === 'server' ? this.floods.onReset() : null;
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
    this.sent.forget(stream);
    if (this.error === null) this.received.release(stream);
  }

  /** The user has passed on that many received bytes: the peer may send as many again. */
  consume(stream: Http2Stream, bytes: number): void {
    if (bytes > 0 && !stream.isClosed && this.error === null) this.received.consume(stream, bytes);
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

// A response to HEAD, and one that has no content by its status, must bring none, whatever its content-length says.
function expectedBytes(stream: Http2Stream, head: H2ResponseHead): number {
  if (stream.isHeadRequest || head.status === 304 || head.status === 204) return 0;
  return stream.isConnect && head.status < 300 ? -1 : head.contentLength;
}
