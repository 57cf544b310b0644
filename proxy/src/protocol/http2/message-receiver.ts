// HEADERS, CONTINUATION and DATA -> the messages of the streams (RFC 9113 §8): heads, content, trailers, and what breaks them.

import { emptyHeaderBlock } from '@weft/lib/header';
import { Gather, smallBytes } from '../gather.ts';
import { ErrorCode, type Http2Error, http2Error } from './error.ts';
import { END_HEADERS, END_STREAM, maxWindow, PADDED } from './frame/frame.ts';
import { HeaderBlockReader } from './frame/header-block.ts';
import { HeadReader, type NoHead } from './head-reader.ts';
import type { Http2Sink } from './http2-sink.ts';
import type { H2RequestHead, H2ResponseHead } from './message.ts';
import type { OpenStreams } from './open-streams.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { Http2Limits, Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { gatherTinyData } from './tiny-data.ts';

/** 1xx before the response; HTTP/1 takes as many. */
const informationalLimit = 16;

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

export class MessageReceiver {
  private readonly streams: OpenStreams;
  private readonly peer: PeerSettings;
  private readonly settings: Http2Settings;
  private readonly sink: Http2Sink;
  private readonly blocks: HeaderBlockReader;
  private readonly heads: HeadReader;
  private readonly closesOnMalformed: boolean;
  private goAwayLastId = maxWindow;
  // The DATA frame under way: its stream unless that is over, whether it ends it, and its bytes that are not content.
  private dataStream: Http2Stream | null = null;
  private dataEndsStream = false;
  private paddedLength = 0;
  /** Small pieces of content of one stream that are yet to be told. */
  private readonly gathered = new Gather();
  private gatheredOf: Http2Stream | null = null;

  constructor(streams: OpenStreams, peer: PeerSettings, settings: Http2Settings, limits: Http2Limits, sink: Http2Sink) {
    this.streams = streams;
    this.peer = peer;
    this.settings = settings;
    this.sink = sink;
    this.blocks = new HeaderBlockReader(limits.maxContinuations, limits.maxHeaderListBytes + settings.maxFrameBytes);
    this.heads = new HeadReader(settings.headerTableSize, limits);
    this.closesOnMalformed = limits.closesOnMalformed;
  }

  /** The stream of a header block that has not ended; 0 when there is none. */
  get openBlock(): number {
    return this.blocks.openId;
  }

  /** Whether that frame may not stand inside the header block under way. */
  isBrokenBy(type: number, id: number): boolean {
    return this.blocks.isBrokenBy(type, id);
  }

  /** The peer has acknowledged the size of our table. */
  acknowledgeTableSize(): void {
    this.heads.acknowledgeTableSize();
  }

  /** Streams that the peer opens from now on are refused. */
  refuseFurther(): void {
    this.goAwayLastId = this.streams.lastId;
  }

  /** A DATA frame of that length begins. */
  onDataHead(flags: number, id: number, length: number): Http2Error | null {
    const stream = this.streams.get(id);
    this.dataStream = null;
    // Padding is used up as it comes; how much it is shows at the end of the frame.
    this.paddedLength = (flags & PADDED) === 0 ? 0 : length;
    this.dataEndsStream = (flags & END_STREAM) !== 0;
    if (stream === null && this.streams.isIdle(id)) return http2Error.idle_stream;
    if (!this.streams.received.take(length)) return http2Error.window_exceeded;
    if (stream === null || stream.isRemoteEnded) return this.onLateData(stream, id, length);
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) return this.streams.resetWith(stream, http2Error.window_exceeded);
    // DATA before the response head is no message.
    if (this.streams.role === 'client' && !stream.hasHead)
      return this.streams.resetWith(stream, http2Error.malformed_head);
    this.dataStream = stream;
    if (length === 0 && !this.dataEndsStream) return this.streams.floods.onEmptyFrame();
    if (this.paddedLength === 0) this.streams.floods.onContent();
    return null;
  }

  private onLateData(stream: Http2Stream | null, id: number, length: number): Http2Error | null {
    this.streams.received.giveBack(length);
    if (stream !== null) return this.streams.resetWith(stream, http2Error.half_closed_stream);
    return this.streams.onLateBytes(id, length);
  }

  /** Content of that frame as it comes, padding taken away. */
  onDataPart(buffer: Buffer, offset: number, length: number, isLast: boolean): Http2Error | null {
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
        return this.breakMessage(stream, http2Error.length_mismatch);
      }
    }
    if (ends) stream.isRemoteEnded = true;
    if (length > 0 || ends) this.passData(stream, buffer, offset, length, ends);
    return null;
  }

  private passData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, ends: boolean): void {
    if (this.gatheredOf === null && (ends || length >= smallBytes)) {
      this.tellData(stream, buffer, offset, length, ends);
      return;
    }
    if (this.gatheredOf !== stream) {
      this.passGathered();
      this.gatheredOf = stream;
    }
    if (!ends && this.gathered.take(buffer, offset, length)) return;
    if (this.gathered.length > 0) this.passGathered();
    if (!stream.isClosed) this.tellData(stream, buffer, offset, length, ends);
  }

  // A stream that is over makes room before its user hears of it: who waits for the room may take it at once.
  private tellData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, ends: boolean): void {
    if (ends) this.streams.forgetIfOver(stream);
    this.sink.onData(stream, buffer, offset, length, ends);
  }

  get isGathering(): boolean {
    return this.gatheredOf !== null;
  }

  /** Tells what was put together; before any other frame, and with the end of the bytes at hand. */
  passGathered(): void {
    const stream = this.gatheredOf;
    if (stream === null) return;
    this.gatheredOf = null;
    const { buffer, length } = this.gathered;
    this.gathered.clear();
    if (length > 0 && !stream.isClosed) this.sink.onData(stream, buffer, 0, length, false);
  }

  /**
   * Behind a DATA frame: takes what follows of the same stream in tiny ones, and returns the offset behind it. All else, errors
   * included, is for the long way.
   */
  gatherTiny(buffer: Buffer, start: number, end: number): number {
    const stream = this.gatheredOf;
    if (stream === null || stream !== this.dataStream || stream.isClosed) return start;
    // They have less content than bytes: no need to watch what else bounds it on the way.
    const allowed = Math.min(this.streams.received.left, stream.receiveWindow);
    if (end - start > allowed || (stream.expectedBytes >= 0 && end - start > stream.expectedBytes)) return start;
    const before = this.gathered.length;
    const at = gatherTinyData(buffer, start, end, stream.id, this.gathered);
    const taken = this.gathered.length - before;
    if (taken === 0) return at;
    this.streams.floods.onContent();
    this.streams.received.take(taken);
    stream.receiveWindow -= taken;
    if (stream.expectedBytes >= 0) stream.expectedBytes -= taken;
    return at;
  }

  private onPaddedPart(stream: Http2Stream, length: number, isLast: boolean, ends: boolean): Http2Error | null {
    this.paddedLength -= length;
    if (!isLast) return null;
    if (this.paddedLength > 0) this.streams.received.consume(stream, this.paddedLength);
    this.paddedLength = 0;
    if (length === 0 && !ends) return this.streams.floods.onEmptyFrame();
    this.streams.floods.onContent();
    return null;
  }

  onHeaders(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    const isEmpty = start === end && (flags & END_STREAM) === 0;
    if (isEmpty) return this.streams.floods.onEmptyFrame() ?? this.beginBlock(flags, id, payload, start, end);
    this.streams.floods.onContent();
    return this.beginBlock(flags, id, payload, start, end);
  }

  private beginBlock(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    return this.endBlock(this.blocks.begin(flags, id, payload, start, end) ?? this.onBlock(id));
  }

  onContinuation(flags: number, id: number, payload: Buffer, start: number, end: number): Http2Error | null {
    const isEmpty = start === end && (flags & END_HEADERS) === 0;
    const flood = isEmpty ? this.streams.floods.onEmptyFrame() : null;
    return this.endBlock(flood ?? this.blocks.append(flags, payload, start, end) ?? this.onBlock(id));
  }

  private endBlock(error: Http2Error | null): Http2Error | null {
    this.blocks.release();
    return error;
  }

  private onBlock(id: number): Http2Error | null {
    if (!this.blocks.isComplete) return null;
    const stream = this.streams.get(id);
    if (stream === null) return this.streams.role === 'server' ? this.onNewRequest(id) : this.onLateBlock(id);
    if (stream.isRemoteEnded)
      return tableError(this.readTrailers()) ?? this.streams.resetWith(stream, http2Error.half_closed_stream);
    if (this.streams.role === 'server' || stream.hasHead) return this.onTrailerBlock(stream);
    return this.onResponseBlock(stream);
  }

  private readTrailers(): ReturnType<HeadReader['readTrailers']> {
    const { buffer, start, end } = this.blocks;
    return this.heads.readTrailers(buffer, start, end);
  }

  // The block must be decoded all the same: it may change the table.
  private onLateBlock(id: number): Http2Error | null {
    if (this.streams.isIdle(id)) return http2Error.idle_stream;
    const lost = tableError(this.readTrailers());
    if (lost !== null) return lost;
    return this.streams.onLateBlock(id);
  }

  private onNewRequest(id: number): Http2Error | null {
    if ((id & 1) === 0) return http2Error.bad_stream_id;
    if (id <= this.streams.lastId) return this.onLateBlock(id);
    const { buffer, start, end } = this.blocks;
    const head = this.heads.readRequest(buffer, start, end);
    const lost = tableError(head);
    if (lost !== null) return lost;
    this.streams.lastId = id;
    if (id > this.goAwayLastId || this.streams.size >= this.settings.maxConcurrentStreams) {
      this.streams.tally.streamRefused.value++;
      return this.streams.refuse(id, ErrorCode.REFUSED_STREAM);
    }
    if (head === 'malformed' || !this.isExpected(head)) return this.refuseMalformed(id);
    if (head === 'too-large') this.streams.tally.headerOverflow.value++;
    this.openFor(id, head);
    return null;
  }

  // RFC 9113 §8.1.1: an error of the stream; Envoy makes it one of the connection unless told otherwise.
  private refuseMalformed(id: number): Http2Error | null {
    this.streams.tally.rxMessagingError.value++;
    return this.closesOnMalformed ? http2Error.malformed_head : this.streams.refuse(id, ErrorCode.PROTOCOL_ERROR);
  }

  private breakMessage(stream: Http2Stream, error: Http2Error): Http2Error | null {
    const flood = this.streams.resetWith(stream, error);
    return this.closesOnMalformed ? error : flood;
  }

  // An extended CONNECT that was not offered, and a body that is missing, are no messages either.
  private isExpected(head: H2RequestHead | NoHead): boolean {
    if (typeof head === 'string') return true;
    if (head.protocol !== null && !this.settings.enablesConnectProtocol) return false;
    return !this.blocks.endsStream || head.contentLength <= 0;
  }

  private openFor(id: number, head: H2RequestHead | NoHead): void {
    const stream = this.streams.open(id, this.peer.initialWindow);
    const ends = this.blocks.endsStream;
    stream.isRemoteEnded = ends;
    if (typeof head !== 'string') stream.expectedBytes = head.contentLength;
    this.sink.onRequest?.(stream, typeof head === 'string' ? tooLargeHead : head, ends);
  }

  private onTrailerBlock(stream: Http2Stream): Http2Error | null {
    const trailers = this.readTrailers();
    const lost = tableError(trailers);
    if (lost !== null) return lost;
    if (typeof trailers === 'string') return this.breakMessage(stream, faultOf(trailers));
    if (!this.blocks.endsStream) return this.breakMessage(stream, http2Error.trailers_without_end);
    if (stream.expectedBytes > 0) return this.breakMessage(stream, http2Error.length_mismatch);
    // As Envoy: those of responses are not counted.
    if (this.streams.role === 'server') this.streams.tally.trailers.value++;
    stream.isRemoteEnded = true;
    this.streams.forgetIfOver(stream);
    this.sink.onTrailers(stream, trailers);
    return null;
  }

  private onResponseBlock(stream: Http2Stream): Http2Error | null {
    const { buffer, start, end } = this.blocks;
    const head = this.heads.readResponse(buffer, start, end);
    const lost = tableError(head);
    if (lost !== null) return lost;
    if (head === 'too-large') this.streams.tally.headerOverflow.value++;
    if (typeof head === 'string') return this.breakMessage(stream, faultOf(head));
    if (head.status >= 200) return this.onFinalResponse(stream, head);
    if (this.blocks.endsStream) return this.breakMessage(stream, http2Error.malformed_head);
    if (++stream.informationals > informationalLimit)
      return this.streams.resetWith(stream, http2Error.too_many_informational);
    this.sink.onInformational?.(stream, head.status, head.block);
    return null;
  }

  private onFinalResponse(stream: Http2Stream, head: H2ResponseHead): Http2Error | null {
    const ends = this.blocks.endsStream;
    stream.hasHead = true;
    stream.isRemoteEnded = ends;
    stream.expectedBytes = expectedBytes(stream, head);
    if (ends && stream.expectedBytes > 0) return this.breakMessage(stream, http2Error.length_mismatch);
    this.streams.forgetIfOver(stream);
    this.sink.onResponse?.(stream, head.status, head.block, ends);
    return null;
  }
}

// After these the table is out of step, or was never meant to be of use.
function tableError(head: object | NoHead): Http2Error | null {
  if (head === 'compression') return http2Error.compression;
  return head === 'flood' ? http2Error.header_block_flood : null;
}

function faultOf(reason: NoHead): Http2Error {
  return reason === 'too-large' ? http2Error.head_too_large : http2Error.malformed_head;
}

// A response to HEAD, and one that has no content by its status, must bring none, whatever its content-length says.
function expectedBytes(stream: Http2Stream, head: H2ResponseHead): number {
  if (stream.isHeadRequest || head.status === 304 || head.status === 204) return 0;
  return stream.isConnect && head.status < 300 ? -1 : head.contentLength;
}
