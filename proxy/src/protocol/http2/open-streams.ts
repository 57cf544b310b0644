// The streams of one connection from opening to end (RFC 9113 §5.1), with the flow control and the flood counts they share.

import type { ByteWriter } from '@weft/lib/bytes';
import { ErrorCode, type Http2Error, http2Error } from './error.ts';
import { FloodGuard } from './flood-guard.ts';
import { maxWindow, writeReset } from './frame/frame.ts';
import type { Http2Sink } from './http2-sink.ts';
import { heldBytes, noneHeld, ReceiveFlow } from './receive-flow.ts';
import { SendFlow } from './send-flow.ts';
import type { Http2Limits, Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import { type Http2Tally, noTally } from './tally.ts';

/** Streams that we reset: frames that were on their way are not held against the peer. */
const rememberedResets = 1024;

export type Http2Role = 'server' | 'client';

export class OpenStreams {
  readonly role: Http2Role;
  readonly floods: FloodGuard;
  readonly received: ReceiveFlow;
  readonly sent = new SendFlow();
  readonly tally: Http2Tally;
  /** Highest identifier that the peer used (server) or that we used (client). */
  lastId = 0;
  /** The connection has failed: nothing more is written. */
  isSilent = false;
  /** A stream that lived longer was no part of a flood. */
  private readonly prematureTicks: number;
  private readonly table = new StreamTable();
  private readonly sink: Http2Sink;
  private readonly out: () => ByteWriter;
  private readonly resetIds: number[] = [];
  /** What came on them since. */
  private readonly lateBytes: number[] = [];

  constructor(role: Http2Role, settings: Http2Settings, limits: Http2Limits, sink: Http2Sink, out: () => ByteWriter) {
    this.role = role;
    this.sink = sink;
    this.tally = sink.tally ?? noTally;
    this.out = out;
    this.prematureTicks = limits.prematureTicks;
    this.floods = new FloodGuard(limits);
    this.received = new ReceiveFlow(settings, out, settings.holdsBeyondWindow ? heldBytes[role] : noneHeld);
  }

  get size(): number {
    return this.table.size;
  }

  get(id: number): Http2Stream | null {
    return this.table.get(id);
  }

  /** The next stream; `sendWindow` is what the peer grants at first. */
  open(id: number, sendWindow: number): Http2Stream {
    this.floods.onStream();
    return this.table.add(id, sendWindow, this.received.initialWindow, this.floods.ticks);
  }

  /** Whether no stream of that identifier was ever opened. */
  isIdle(id: number): boolean {
    // Even identifiers would be pushed streams, which nobody may open here.
    return (id & 1) === 0 || id > this.lastId;
  }

  /** A header block on a stream that is over. RFC 9113 §5.1: who reset a stream must take what was on its way. */
  onLateBlock(id: number): Http2Error | null {
    if (this.resetIds.includes(id)) return this.floods.onLateBlock();
    // A server answers each of our streams, however many we gave up meanwhile.
    return this.role === 'client' ? this.floods.onLateBlock() : http2Error.closed_stream;
  }

  /** DATA on a stream that is over: what the window of one that we reset allowed may have been on the way, more cannot. */
  onLateBytes(id: number, length: number): Http2Error | null {
    const at = this.resetIds.lastIndexOf(id);
    if (at < 0) return this.refuse(id, ErrorCode.STREAM_CLOSED);
    const bytes = (this.lateBytes[at] ?? 0) + length;
    this.lateBytes[at] = bytes;
    return bytes > this.received.initialWindow ? http2Error.window_exceeded : null;
  }

  /** Ends the stream because of what the peer sent. A client that makes us do so costs as much as one that resets its streams itself. */
  resetWith(stream: Http2Stream, error: Http2Error): Http2Error | null {
    if (stream.isClosed) return null;
    this.tally.rxMessagingError.value++;
    this.drop(stream);
    this.writeReset(stream.id, error.wire);
    this.sink.onReset(stream, error.wire, error);
    return this.role === 'server' ? this.floods.onReset() : null;
  }

  /** The peer takes a stream back. What it does before there is an answer costs us the request and the peer nothing. */
  onPeerReset(stream: Http2Stream, code: number): Http2Error | null {
    this.tally.rxReset.value++;
    const isPremature = !stream.hasHead && this.floods.ticks - stream.bornTick <= this.prematureTicks;
    this.drop(stream);
    this.sink.onReset(stream, code, null);
    return isPremature && this.role === 'server' ? this.floods.onReset() : null;
  }

  /** Answers frames on a stream that is not, or no longer, there. */
  refuse(id: number, code: number): Http2Error | null {
    this.writeReset(id, code);
    return this.floods.onReset();
  }

  writeReset(id: number, code: number): void {
    if (this.isSilent) return;
    this.tally.txReset.value++;
    this.floods.onControlSent();
    this.floods.onResetSent();
    this.lateBytes.push(0);
    if (this.resetIds.push(id) > rememberedResets) {
      this.resetIds.shift();
      this.lateBytes.shift();
    }
    writeReset(this.out(), id, code);
  }

  endLocal(stream: Http2Stream): void {
    stream.isLocalEnded = true;
    this.forgetIfOver(stream);
  }

  forgetIfOver(stream: Http2Stream): void {
    if (stream.isLocalEnded && stream.isRemoteEnded && !stream.isClosed) this.drop(stream);
  }

  drop(stream: Http2Stream): void {
    stream.isClosed = true;
    this.table.remove(stream);
    this.sent.forget(stream);
    if (!this.isSilent) this.received.release(stream);
    this.received.letGo(stream);
  }

  /** The connection is over, and with it every stream. */
  dropAll(): void {
    this.isSilent = true;
    for (const stream of this.table.all()) this.drop(stream);
  }

  /** The streams above an identifier, which the peer will not take, are over; a copy of the list, so that they may be closed on the way. */
  above(id: number): Http2Stream[] {
    return this.table.all().filter((stream) => stream.id > id);
  }

  /** The peer grants that much more, or less, on every stream; false when a window is too large then. */
  shiftSendWindows(change: number): boolean {
    let isAllowed = true;
    for (const stream of this.table.all()) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindow) isAllowed = false;
    }
    return isAllowed;
  }

  /** The peer has acknowledged our SETTINGS and keeps to the windows in them. */
  acknowledge(): void {
    const shrinks = this.received.acknowledge();
    if (shrinks > 0) for (const stream of this.table.all()) stream.receiveWindow -= shrinks;
  }
}
