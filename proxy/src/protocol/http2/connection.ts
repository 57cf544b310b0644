// The HTTP/2 machine of one connection, either side (RFC 9113): frames in and out, streams, flow control, settings, ending.
// Bytes in by `decode`, bytes out into the arena that `out` gives. No sockets, no timers: `tick` tells that a second has passed.

import type { ByteWriter } from '@weft/lib/bytes';
import type { Headers } from '@weft/lib/header';
import { ErrorCode, type Http2Error, http2Error } from './error.ts';
import { checkFrame } from './frame/check.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_STREAM,
  GOAWAY,
  HEADERS,
  maxWindow,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  writeFrameHead,
  writeGoAway,
  writePing,
  writeSettingsAck,
} from './frame/frame.ts';
import { type FrameHead, FrameReader, type FrameSink } from './frame/reader.ts';
import { HeadWriter } from './head-writer.ts';
import type { Http2Sink } from './http2-sink.ts';
import type { H2OutgoingHead } from './message.ts';
import { MessageReceiver } from './message-receiver.ts';
import { type Http2Role, OpenStreams } from './open-streams.ts';
import { PeerSettings, preface, writeOwnSettings } from './peer-settings.ts';
import type { Http2Limits, Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';

export type { Http2Sink } from './http2-sink.ts';
export type { Http2Limits, Http2Settings } from './settings.ts';
export { Http2Stream } from './stream.ts';

const priorityBytes = 5;
/** About a millisecond's work; far more than 64 KiB of ordinary messages come in, as each break costs calls of the kernel. */
const dearFrames = 1000;
const pingData: Buffer = Buffer.alloc(8);
/** What one frame may hold towards a peer that takes larger ones: others should get their turn. */
const frameBytesMax = 65_536;

export class Http2Connection implements FrameSink {
  error: Http2Error | null = null;
  /** No stream can be opened any more (client). */
  isGoingAway = false;
  readonly peer: PeerSettings = new PeerSettings();
  private readonly role: Http2Role;
  private readonly settings: Http2Settings;
  private readonly limits: Http2Limits;
  private readonly sink: Http2Sink;
  private readonly out: () => ByteWriter;
  private readonly frames: FrameReader;
  private readonly writer = new HeadWriter();
  private readonly streams: OpenStreams;
  private readonly messages: MessageReceiver;
  private prefaceLeft: number;
  /** Whether the peer has said what it takes. */
  hasPeerSettings = false;
  private isAcknowledged = false;
  private slowTicks = 0;
  /** PINGs of ours that have not come back. */
  private pingsOut = 0;

  constructor(role: Http2Role, settings: Http2Settings, limits: Http2Limits, sink: Http2Sink, out: () => ByteWriter) {
    this.role = role;
    this.settings = settings;
    this.limits = limits;
    this.sink = sink;
    this.out = out;
    this.frames = new FrameReader(settings.maxFrameBytes, this);
    this.streams = new OpenStreams(role, settings, limits, sink, out);
    this.messages = new MessageReceiver(this.streams, this.peer, settings, limits, sink);
    this.prefaceLeft = role === 'server' ? preface.length : 0;
  }

  /** Writes our preface: SETTINGS, and the connection's window. */
  start(): void {
    const out = this.out();
    if (this.role === 'client') out.append(preface, 0, preface.length);
    writeOwnSettings(out, this.role, this.settings, this.limits.maxHeaderListBytes);
    this.streams.received.start();
  }

  get activeStreams(): number {
    return this.streams.size;
  }

  get peerMaxStreams(): number {
    return this.peer.maxConcurrentStreams;
  }

  /** What comes on another stream may have to wait for users who hold back what came on theirs. */
  get isHeldUp(): boolean {
    return this.streams.received.isHeldUp;
  }

  /** A second has passed: floods are forgiven bit by bit, and what stays half said is held against the peer, if we listen. */
  tick(isReading = true): void {
    this.streams.floods.tick();
    if (this.error !== null || !isReading) return;
    const isSlow = !this.hasPeerSettings || this.messages.openBlock !== 0 || this.frames.isInsideFrame;
    this.slowTicks = isSlow ? this.slowTicks + 1 : 0;
    if (this.slowTicks <= this.limits.maxSlowTicks) return;
    this.fail(this.hasPeerSettings ? http2Error.slow_frame : http2Error.slow_settings);
  }

  /** The last bytes were so many frames that others should have their turn before the next. */
  get isDear(): boolean {
    return this.frames.frames > dearFrames;
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
    const { floods } = this.streams;
    if (floods.outbound !== 0 && this.sink.isCongested !== true) floods.onFlushed();
    let error = this.frames.read(buffer, at, end);
    if (error === null && floods.outbound !== 0) error = floods.checkOutbound();
    if (this.messages.isGathering) this.messages.passGathered();
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
    this.streams.isSilent = true;
    this.streams.tally.goAwaySent.value++;
    writeGoAway(this.out(), this.role === 'server' ? this.streams.lastId : 0, error.wire);
    this.sink.onConnectionError(error);
  }

  onFrameHead(type: number, flags: number, id: number, length: number): Http2Error | null {
    if (!this.hasPeerSettings && (type !== SETTINGS || (flags & ACK) !== 0)) return http2Error.settings_first;
    if (this.messages.isBrokenBy(type, id)) return http2Error.expected_continuation;
    if (type !== DATA && this.messages.isGathering) this.messages.passGathered();
    // A frame that begins is no slow one: only one that does not end.
    if (this.messages.openBlock === 0) this.slowTicks = 0;
    const error = checkFrame(type, flags, id, length);
    if (error !== null || type !== DATA) return error;
    return this.messages.onDataHead(flags, id, length);
  }

  onDataPart(buffer: Buffer, offset: number, length: number, isLast: boolean): Http2Error | null {
    return this.messages.onDataPart(buffer, offset, length, isLast);
  }

  onDataEnd(buffer: Buffer, start: number, end: number): number {
    return this.messages.isGathering ? this.messages.gatherTiny(buffer, start, end) : start;
  }

  onFrame(frame: FrameHead, payload: Buffer, start: number, end: number): Http2Error | null {
    const { flags, id } = frame;
    switch (frame.type) {
      case HEADERS:
        return this.messages.onHeaders(flags, id, payload, start, end);
      case CONTINUATION:
        return this.messages.onContinuation(flags, id, payload, start, end);
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

  // ---- other frames

  private onSettings(payload: Buffer, start: number, end: number): Http2Error | null {
    const windowBefore = this.peer.initialWindow;
    if (!this.hasPeerSettings) this.peer.begin();
    this.hasPeerSettings = true;
    const error = this.peer.read(payload, start, end, this.role) ?? this.streams.floods.onSettings();
    if (error !== null) return error;
    this.writer.encoder.setPeerTableSize(this.peer.headerTableSize);
    this.writer.maxFrameBytes = Math.min(this.peer.maxFrameBytes, frameBytesMax);
    writeSettingsAck(this.out());
    this.streams.floods.onControlSent();
    const change = this.peer.initialWindow - windowBefore;
    if (change !== 0 && !this.streams.shiftSendWindows(change)) return http2Error.window_overflow;
    if (change > 0) this.wakeAll();
    this.sink.onSettings?.();
    return null;
  }

  // Only now does the peer keep to what we announced.
  private onSettingsAck(): Http2Error | null {
    if (this.isAcknowledged) return this.streams.floods.onSettings();
    this.isAcknowledged = true;
    this.messages.acknowledgeTableSize();
    this.streams.acknowledge();
    return null;
  }

  private onWindowUpdate(id: number, increment: number): Http2Error | null {
    const flood = this.streams.floods.onWindowUpdate();
    if (flood !== null) return flood;
    if (id === 0) {
      if (increment === 0) return http2Error.zero_increment;
      if (!this.streams.sent.open(increment)) return http2Error.window_overflow;
      this.wakeAll();
      return null;
    }
    const stream = this.streams.get(id);
    if (stream === null) return this.streams.isIdle(id) ? http2Error.idle_stream : null;
    if (increment === 0) return this.streams.resetWith(stream, http2Error.zero_increment);
    stream.sendWindow += increment;
    if (stream.sendWindow > maxWindow) return this.streams.resetWith(stream, http2Error.window_overflow);
    if (this.streams.sent.wakes(stream)) this.sink.onWritable(stream);
    return null;
  }

  private wakeAll(): void {
    const { sent } = this.streams;
    // Each of those that wait now once: it may run dry again when it is told.
    for (let left = sent.waiting; left > 0 && !sent.isShut; left--) {
      const stream = sent.wakeNext();
      if (stream !== null) this.sink.onWritable(stream);
    }
  }

  private onResetFrame(id: number, code: number): Http2Error | null {
    const stream = this.streams.get(id);
    if (stream === null) return this.streams.isIdle(id) ? http2Error.idle_stream : null;
    return this.streams.onPeerReset(stream, code);
  }

  private onPing(flags: number, payload: Buffer, start: number): Http2Error | null {
    if ((flags & ACK) !== 0 && this.pingsOut > 0) {
      this.pingsOut--;
      this.sink.onPong?.();
      return null;
    }
    const flood = this.streams.floods.onPing();
    if (flood !== null || (flags & ACK) !== 0) return flood;
    writePing(this.out(), ACK, payload, start);
    this.streams.floods.onControlSent();
    return null;
  }

  private onGoAwayFrame(lastId: number, code: number): Http2Error | null {
    this.isGoingAway = true;
    if (this.role === 'client') {
      // What the peer has not taken may be sent elsewhere without harm (RFC 9113 §6.8).
      for (const stream of this.streams.above(lastId)) {
        if (stream.isClosed) continue;
        this.streams.drop(stream);
        this.sink.onReset(stream, ErrorCode.REFUSED_STREAM, null);
      }
    }
    this.sink.onGoAway(lastId, code);
    return this.streams.floods.onSettings();
  }

  private onPriority(id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    if (end - start !== priorityBytes) {
      const stream = this.streams.get(id);
      return stream === null ? http2Error.bad_frame_size : this.streams.resetWith(stream, http2Error.bad_frame_size);
    }
    if ((payload.readUInt32BE(start) & maxWindow) === id) return http2Error.self_dependency;
    return this.streams.floods.onPriority();
  }

  // ---- sending

  /** Opens a stream; null when the peer takes no more. */
  openStream(head: H2OutgoingHead, endStream: boolean): Http2Stream | null {
    if (this.error !== null || this.isGoingAway || this.streams.size >= this.peer.maxConcurrentStreams) return null;
    const id = this.streams.lastId === 0 ? 1 : this.streams.lastId + 2;
    this.streams.lastId = id;
    // That was the last identifier there is.
    if (id + 2 > maxWindow) this.isGoingAway = true;
    const stream = this.streams.open(id, this.peer.initialWindow);
    stream.isLocalEnded = endStream;
    stream.isHeadRequest = head.method === 'HEAD';
    stream.isConnect = head.method === 'CONNECT';
    this.writer.writeRequest(this.out(), id, head, endStream);
    return stream;
  }

  /** A response head, or an informational one (1xx). */
  sendResponseHead(stream: Http2Stream, status: number, headers: Headers, endStream: boolean): void {
    if (!this.maySend(stream)) return;
    if (status >= 200) stream.hasHead = true;
    if (this.sink.isCongested === true) this.streams.floods.onHeadSent();
    this.writer.writeResponse(this.out(), stream.id, status, headers, endStream);
    if (endStream) this.streams.endLocal(stream);
  }

  /** Sends what the windows allow and returns how much that was; with the last byte goes the end, if it is asked for. */
  sendData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): number {
    if (!this.maySend(stream)) return length;
    const allowed = this.streams.sent.allowed(stream, length);
    const ends = endStream && allowed === length;
    if (allowed > 0 || ends) this.writeData(stream, buffer, offset, allowed, ends);
    if (allowed < length) this.streams.sent.wait(stream);
    if (ends) this.streams.endLocal(stream);
    return allowed;
  }

  private writeData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, ends: boolean): void {
    const max = this.writer.maxFrameBytes;
    this.streams.sent.use(stream, length);
    let at = offset;
    let left = length;
    do {
      const size = Math.min(left, max);
      left -= size;
      // Asked for again with each frame: what is full goes out meanwhile.
      const out = this.out();
      writeFrameHead(out, size, DATA, ends && left === 0 ? END_STREAM : 0, stream.id);
      if (size > 0) out.append(buffer, at, size);
      at += size;
      this.streams.floods.onDataSent(size, this.sink.isCongested === true);
    } while (left > 0);
  }

  sendTrailers(stream: Http2Stream, trailers: Headers): void {
    if (!this.maySend(stream)) return;
    this.writer.writeTrailers(this.out(), stream.id, trailers);
    this.streams.endLocal(stream);
  }

  private maySend(stream: Http2Stream): boolean {
    return this.error === null && !stream.isClosed && !stream.isLocalEnded;
  }

  /** Ends the stream at once, in both directions; the user hears nothing more of it. */
  resetStream(stream: Http2Stream, code: number): void {
    if (stream.isClosed) return;
    this.streams.drop(stream);
    this.streams.writeReset(stream.id, code);
  }

  /** The user has passed on that many received bytes: the peer may send as many again. */
  consume(stream: Http2Stream, bytes: number): void {
    if (bytes > 0 && !stream.isClosed && this.error === null) this.streams.received.consume(stream, bytes);
  }

  /** The user keeps that many received bytes until it passes them on: the peer may send as many again, but not on this stream. */
  hold(stream: Http2Stream, bytes: number): void {
    if (bytes > 0 && !stream.isClosed && this.error === null) this.streams.received.hold(stream, bytes);
  }

  /** There is no connection any more. */
  onClosed(): void {
    this.streams.dropAll();
  }

  /** What was written has left, after it had to wait. */
  onFlushed(): void {
    this.streams.floods.onFlushed();
  }

  /** Asks the peer for a sign of life; `onPong` tells when it comes. */
  ping(): void {
    if (this.error !== null) return;
    this.pingsOut++;
    writePing(this.out(), 0, pingData, 0);
  }

  /** Says that streams should go elsewhere soon; those on their way are still taken (RFC 9113 §6.8). */
  shutdownNotice(): void {
    if (this.error !== null) return;
    this.streams.tally.goAwaySent.value++;
    writeGoAway(this.out(), maxWindow, ErrorCode.NO_ERROR);
  }

  /** The last word on which streams were taken. */
  goAway(code: number): void {
    if (this.error !== null) return;
    this.messages.refuseFurther();
    this.streams.tally.goAwaySent.value++;
    writeGoAway(this.out(), this.role === 'server' ? this.streams.lastId : 0, code);
  }
}
