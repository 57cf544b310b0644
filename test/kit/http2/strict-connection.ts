// The server side of one HTTP/2 connection that checks every frame of the client against RFC 9113 and writes down each violation.

import type { Socket } from 'node:net';
import { HpackDecoder, OK } from '@weft/proxy/protocol/http2/hpack/decoder';
import { frameLine } from '@weft/proxy/protocol/http2/testing/frame-list';
import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';
import { type Field, requestFaults, trailerFaults } from './field-rules.ts';
import { contentOf, type Frame, FrameSplitter } from './frame-splitter.ts';
import { StrictStream } from './strict-stream.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const maxWindow = 2 ** 31 - 1;
const maxFrameBytes = 16_384;
const defaultWindow = 65_535;
const names = ['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY'];
names.push('WINDOW_UPDATE', 'CONTINUATION');
const fixedLength: Readonly<Record<number, number>> = { 2: 5, 3: 4, 6: 8, 8: 4 };

export interface StrictOptions {
  /** `ID=VALUE …` of this side's SETTINGS, as in a frame script. */
  readonly settings?: string;
  /** Gives back the window for what arrived; true unless said otherwise. */
  readonly givesWindow?: boolean;
  /** Frames sent before SETTINGS, or in their place. */
  readonly greeting?: string;
}

export interface StrictEvents {
  /** The head of a request is there. */
  onHead?(connection: StrictConnection, stream: StrictStream): void;
  /** The request is there to its end. */
  onRequest(connection: StrictConnection, stream: StrictStream): void;
}

interface OpenBlock {
  readonly id: number;
  readonly endsStream: boolean;
  bytes: Buffer;
}

export class StrictConnection {
  readonly violations: string[] = [];
  /** One line for each frame of the client. */
  readonly frames: string[] = [];
  readonly streams: Map<number, StrictStream> = new Map();
  readonly socket: Socket;
  isClosed = false;
  private readonly events: StrictEvents;
  private readonly givesWindow: boolean;
  private readonly splitter = new FrameSplitter();
  private readonly hpack: HpackDecoder;
  private hasPreface = false;
  private hasSettings = false;
  private lastId = 0;
  private window = defaultWindow;
  private initialWindow = defaultWindow;
  private streamLimit = Number.POSITIVE_INFINITY;
  private block: OpenBlock | null = null;
  private clientGoAway: number | null = null;
  private pingsSent = 0;
  private pingsAcknowledged = 0;
  private goAwayAtPing: number | null = null;
  private readonly unacknowledged: (readonly [number, number])[][] = [];

  constructor(socket: Socket, events: StrictEvents, options: StrictOptions = {}) {
    this.socket = socket;
    this.events = events;
    this.givesWindow = options.givesWindow ?? true;
    const table = /(?:^|\s)1=(\d+)/.exec(options.settings ?? '')?.[1];
    this.hpack = new HpackDecoder(Number(table ?? 4096), 1_000_000, 10_000);
    socket.on('data', (chunk: Buffer) => this.onBytes(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      if (this.splitter.rest > 0) this.violations.push('the connection ends in the middle of a frame');
    });
    this.send(options.greeting ?? `settings ${options.settings ?? ''}`);
  }

  // ---- what this side sends

  /** Frames of a script; what ends, resets or goes away is remembered, so that the client is held to it. */
  send(script: string): void {
    for (const line of script.split('\n')) {
      const [, times = '1', once = line] = /^(\d+) x (.*)$/.exec(line) ?? [];
      for (let i = 0; i < Number(times); i++) this.note(once.trim());
    }
    if (!this.socket.destroyed) this.socket.write(framesOf(script));
  }

  private note(line: string): void {
    const [word = '', id = '', ...rest] = line.split('|')[0]?.trim().split(/\s+/) ?? [];
    const stream = this.streams.get(Number(id));
    if (word === 'settings' && id !== 'ack') {
      const entries = [id, ...rest].filter((pair) => pair.includes('='));
      this.unacknowledged.push(entries.map((pair) => pair.split('=').map(Number) as [number, number]));
    } else if (word === 'goaway') this.goAwayAtPing ??= this.pingsSent;
    else if (word === 'ping') this.pingsSent++;
    else if (word === 'window' && id === '0') this.window += Number(rest[0]);
    else if (stream === undefined) return;
    else if (word === 'window') stream.window += Number(rest[0]);
    else if (word === 'reset') stream.ownResetAtPing ??= this.pingsSent;
    else if (/^(?:headers|data|continuation)$/.test(word) && rest.includes('end'))
      stream.ownEndAtPing ??= this.pingsSent;
  }

  private isKnown(atPing: number | null): boolean {
    return atPing !== null && this.pingsAcknowledged > atPing;
  }

  /** The client has acknowledged every PING: it has seen all that was sent before. */
  get isInStep(): boolean {
    return this.pingsAcknowledged === this.pingsSent;
  }

  /** SETTINGS that the client has not acknowledged. */
  get openSettings(): number {
    return this.unacknowledged.length;
  }

  // ---- what the client sends

  private onBytes(chunk: Buffer): void {
    this.splitter.push(chunk);
    if (!this.hasPreface) {
      const bytes = this.splitter.take(preface.length);
      if (bytes === null) return;
      this.hasPreface = true;
      if (bytes.toString('latin1') !== preface) this.violate('§3.4', 'the preface is not the preface');
    }
    for (let frame = this.splitter.next(); frame !== null; frame = this.splitter.next()) this.onFrame(frame);
  }

  private violate(section: string, what: string): void {
    this.violations.push(`${section}: ${what}`);
  }

  private onFrame(frame: Frame): void {
    const { type, id, payload } = frame;
    const name = names[type] ?? `type ${type}`;
    this.frames.push(frameLine(frame));
    if (!this.hasSettings && (type !== 4 || (frame.flags & 1) !== 0)) this.violate('§3.4', `${name} before SETTINGS`);
    this.hasSettings = true;
    if (payload.length > maxFrameBytes) this.violate('§4.2', `${name} of ${payload.length} bytes`);
    if (this.block !== null && (type !== 9 || id !== this.block.id)) this.violate('§6.10', `${name} inside a block`);
    const length = fixedLength[type];
    if (length !== undefined && payload.length !== length) this.violate('§4.2', `${name} of ${payload.length} bytes`);
    const isOfConnection = type === 4 || type === 6 || type === 7;
    if (type < 10 && type !== 8 && isOfConnection !== (id === 0)) this.violate('§5.1.1', `${name} on stream ${id}`);
    if (id !== 0 && type !== 1 && type !== 9) this.checkState(frame, name);
    this.dispatch(frame, name);
  }

  private dispatch(frame: Frame, name: string): void {
    if (frame.type === 0) this.onData(frame);
    else if (frame.type === 1) this.onHeaders(frame);
    else if (frame.type === 3) this.onReset(frame);
    else if (frame.type === 4) this.onSettings(frame);
    else if (frame.type === 6) this.onPing(frame);
    else if (frame.type === 7) this.clientGoAway = this.lastId;
    else if (frame.type === 8) this.onWindowUpdate(frame);
    else if (frame.type === 9) this.onContinuation(frame);
    else if (frame.type === 5) this.violate('§8.4', `${name} from a client`);
  }

  // §5.1: PRIORITY is allowed in any state.
  private checkState({ type, id }: Frame, name: string): void {
    if (type === 2) return;
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.violate('§5.1', `${name} on stream ${id}, which is idle`);
      return;
    }
    if (stream.resetCode !== null) this.violate('§5.4.2', `${name} on stream ${id} after RST_STREAM`);
    if (stream.isEnded && type === 0) this.violate('§5.1', `${name} on stream ${id} after END_STREAM`);
    const isOver = this.isKnown(stream.ownResetAtPing) || (stream.isEnded && this.isKnown(stream.ownEndAtPing));
    if (isOver) this.violate('§5.1', `${name} on stream ${id}, which is closed`);
  }

  private onHeaders(frame: Frame): void {
    const { id } = frame;
    const block = contentOf(frame);
    if (block === null) this.violate('§6.2', 'more padding than content');
    if (id % 2 === 0) this.violate('§5.1.1', `stream ${id} opened by a client`);
    const stream = this.streams.get(id);
    if (stream === undefined && id <= this.lastId) this.violate('§5.1.1', `stream ${id} after ${this.lastId}`);
    if (stream !== undefined) this.checkState(frame, 'HEADERS');
    if (stream?.isEnded === true) this.violate('§5.1', `HEADERS on stream ${id} after END_STREAM`);
    this.block = { id, endsStream: (frame.flags & 1) !== 0, bytes: block ?? Buffer.alloc(0) };
    if ((frame.flags & 4) !== 0) this.onBlock(this.block);
  }

  private onContinuation(frame: Frame): void {
    const { block } = this;
    if (block === null) {
      this.violate('§6.10', 'CONTINUATION outside a block');
      return;
    }
    block.bytes = Buffer.concat([block.bytes, frame.payload]);
    if ((frame.flags & 4) !== 0) this.onBlock(block);
  }

  private onBlock({ id, endsStream, bytes }: OpenBlock): void {
    this.block = null;
    if (this.hpack.decode(bytes, 0, bytes.length) !== OK) {
      this.violate('§4.3', `the block of stream ${id} cannot be decompressed`);
      return;
    }
    const values = [...this.hpack.values];
    const fields = this.hpack.names.map((name, at): Field => [name, values[at] ?? '']);
    const known = this.streams.get(id);
    if (known !== undefined) this.onTrailers(known, fields, endsStream);
    else this.onRequest(new StrictStream(id, fields, this.initialWindow), endsStream);
  }

  private onRequest(stream: StrictStream, endsStream: boolean): void {
    this.lastId = Math.max(this.lastId, stream.id);
    for (const fault of requestFaults(stream.fields)) this.violate('§8.3', fault);
    if (this.clientGoAway !== null) this.violate('§6.8', `stream ${stream.id} opened after its own GOAWAY`);
    if (this.isKnown(this.goAwayAtPing)) this.violate('§6.8', `stream ${stream.id} opened after GOAWAY`);
    const open = [...this.streams.values()].filter(isOpen).length;
    if (open >= this.streamLimit) this.violate('§5.1.2', `${open + 1} streams at once`);
    this.streams.set(stream.id, stream);
    this.events.onHead?.(this, stream);
    if (endsStream) this.end(stream);
  }

  private onTrailers(stream: StrictStream, fields: readonly Field[], endsStream: boolean): void {
    if (!endsStream) this.violate('§8.1', `trailers of stream ${stream.id} without END_STREAM`);
    for (const fault of trailerFaults(fields)) this.violate('§8.1', fault);
    stream.trailers = fields;
    this.end(stream);
  }

  private onData(frame: Frame): void {
    const stream = this.streams.get(frame.id);
    const content = contentOf(frame);
    if (content === null) this.violate('§6.1', 'more padding than content');
    const size = frame.payload.length;
    this.window -= size;
    if (this.window < 0) this.violate('§6.9.1', `${-this.window} bytes beyond the window of the connection`);
    if (stream === undefined) return;
    stream.window -= size;
    if (size > 0 && stream.window < 0)
      this.violate('§6.9.1', `${-stream.window} bytes beyond the window of ${frame.id}`);
    stream.body.push(Buffer.from(content ?? []));
    stream.bodyBytes += content?.length ?? 0;
    const isEnd = (frame.flags & 1) !== 0;
    if (this.givesWindow && size > 0) this.send(`window 0 ${size}${isEnd ? '' : `\nwindow ${frame.id} ${size}`}`);
    if (isEnd) this.end(stream);
  }

  private end(stream: StrictStream): void {
    stream.isEnded = true;
    for (const fault of stream.lengthFault()) this.violate('§8.1.1', fault);
    this.events.onRequest(this, stream);
  }

  private onReset({ id, payload }: Frame): void {
    const stream = this.streams.get(id);
    if (stream !== undefined && payload.length === 4) stream.resetCode = payload.readUInt32BE(0);
  }

  private onSettings({ flags, payload }: Frame): void {
    if ((flags & 1) !== 0) {
      if (payload.length > 0) this.violate('§6.5', 'an acknowledgement with content');
      const settings = this.unacknowledged.shift();
      if (settings === undefined) this.violate('§6.5.3', 'an acknowledgement of no SETTINGS');
      else for (const [id, value] of settings) this.apply(id, value);
      return;
    }
    if (payload.length % 6 !== 0) this.violate('§6.5', `SETTINGS of ${payload.length} bytes`);
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      this.checkSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    this.send('settings ack');
  }

  private checkSetting(id: number, value: number): void {
    const isWrong =
      (id === 2 && value > 1) ||
      (id === 4 && value > maxWindow) ||
      (id === 5 && (value < 16_384 || value > 2 ** 24 - 1));
    if (isWrong) this.violate('§6.5.2', `setting ${id} is ${value}`);
    if (id === 2 && value === 1) this.violate('§8.4', 'a proxy that wants to be pushed to');
  }

  // From its acknowledgement on the client keeps to a setting.
  private apply(id: number, value: number): void {
    if (id === 1) this.hpack.acknowledge();
    if (id === 3) this.streamLimit = value;
    if (id !== 4) return;
    for (const stream of this.streams.values()) stream.window += value - this.initialWindow;
    this.initialWindow = value;
  }

  private onPing({ flags, payload }: Frame): void {
    if ((flags & 1) === 0) {
      this.send(`frame 6 1 0 ${payload.toString('hex')}`);
      return;
    }
    this.pingsAcknowledged++;
    if (this.pingsAcknowledged > this.pingsSent) this.violate('§6.7', 'an answer to no PING');
    if (payload.toString('latin1') !== 'weftping') this.violate('§6.7', 'the answer is not what was sent');
  }

  private onWindowUpdate({ id, payload }: Frame): void {
    if (payload.length !== 4) return;
    const step = payload.readUInt32BE(0) & maxWindow;
    if (step === 0) this.violate('§6.9', `WINDOW_UPDATE by zero on ${id}`);
  }
}

function isOpen(stream: StrictStream): boolean {
  return (
    stream.resetCode === null && stream.ownResetAtPing === null && !(stream.isEnded && stream.ownEndAtPing !== null)
  );
}
