// The streams of one connection from opening to end (RFC 9113 §5.1), with the flow control and the flood counts they share.

import type { ByteWriter } from '@weft/lib/bytes';
import type { Http2Error } from './error.ts';
import { FloodGuard } from './flood-guard.ts';
import { maxWindow, writeReset } from './frame/frame.ts';
import type { Http2Sink } from './http2-sink.ts';
import { ReceiveFlow } from './receive-flow.ts';
import { SendFlow } from './send-flow.ts';
import type { Http2Limits, Http2Settings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

/** Streams that we reset: frames that were on their way are not held against the peer. */
const rememberedResets = 64;

export type Http2Role = 'server' | 'client';

export class OpenStreams {
  readonly role: Http2Role;
  readonly floods: FloodGuard;
  readonly received: ReceiveFlow;
  readonly sent = new SendFlow();
  /** Highest identifier that the peer used (server) or that we used (client). */
  lastId = 0;
  /** The connection has failed: nothing more is written. */
  isSilent = false;
  private readonly table = new StreamTable();
  private readonly sink: Http2Sink;
  private readonly out: () => ByteWriter;
  private readonly resetIds: number[] = [];

  constructor(role: Http2Role, settings: Http2Settings, limits: Http2Limits, sink: Http2Sink, out: () => ByteWriter) {
    this.role = role;
    this.sink = sink;
    this.out = out;
    this.floods = new FloodGuard(limits);
    this.received = new ReceiveFlow(settings, out);
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
    return this.table.add(id, sendWindow, this.received.initialWindow);
  }

  /** Whether no stream of that identifier was ever opened. */
  isIdle(id: number): boolean {
    // Even identifiers would be pushed streams, which nobody may open here.
    return (id & 1) === 0 || id > this.lastId;
  }

  wasReset(id: number): boolean {
    return this.resetIds.includes(id);
  }

  /** Ends the stream because of what the peer sent. A client that makes us do so costs as much as one that resets its streams itself. */
  resetWith(stream: Http2Stream, error: Http2Error): Http2Error | null {
    if (stream.isClosed) return null;
    this.drop(stream);
    this.writeReset(stream.id, error.wire);
    this.sink.onReset(stream, error.wire, false);
    return this.role === 'server' ? this.floods.onReset() : null;
  }

  /** Answers frames on a stream that is not, or no longer, there. */
  refuse(id: number, code: number): Http2Error | null {
    this.writeReset(id, code);
    return this.floods.onReset();
  }

  writeReset(id: number, code: number): void {
    if (this.isSilent) return;
    if (this.resetIds.push(id) > rememberedResets) this.resetIds.shift();
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
