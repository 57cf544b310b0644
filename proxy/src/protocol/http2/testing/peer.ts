// One side of a connection under test: takes bytes, writes down what the codec tells and writes.

import { ByteWriter } from '@weft/lib/bytes';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import {
  Http2Connection,
  type Http2Limits,
  type Http2Settings,
  type Http2Sink,
  type Http2Stream,
} from '../connection.ts';
import type { Http2Error } from '../error.ts';
import type { H2OutgoingHead, H2RequestHead } from '../message.ts';
import type { Http2Role } from '../open-streams.ts';
import { defaultLimits, defaultSettings } from '../settings.ts';
import { frameLines } from './frame-list.ts';

export interface PeerOptions {
  readonly settings?: Partial<Http2Settings>;
  readonly limits?: Partial<Http2Limits>;
  /** Received bytes are passed on at once; true unless said otherwise. */
  readonly consumes?: boolean;
  /** A server answers 204 to what has ended. */
  readonly answers?: boolean;
}

const noContent: Headers = Headers.of();

export class Peer implements Http2Sink {
  readonly connection: Http2Connection;
  readonly out = new ByteWriter(1024);
  readonly events: string[] = [];
  readonly streams: Http2Stream[] = [];
  /** Content by stream. */
  readonly bodies: Map<number, Buffer[]> = new Map();
  private readonly options: PeerOptions;
  isCongested = false;
  onWritableDo: ((stream: Http2Stream) => void) | null = null;

  constructor(role: Http2Role, options: PeerOptions = {}) {
    this.options = options;
    const settings = { ...defaultSettings, ...options.settings };
    const limits = { ...defaultLimits, ...options.limits };
    this.connection = new Http2Connection(role, settings, limits, this, () => this.out);
  }

  receive(bytes: Buffer, cuts: readonly number[] = []): void {
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      this.connection.decode(bytes, at, cut);
      at = cut;
    }
  }

  /** What was written since the last call. */
  written(): Buffer {
    const bytes = Buffer.from(this.out.view());
    this.out.reset();
    return bytes;
  }

  frames(): string[] {
    return frameLines(this.written());
  }

  open(fields: Partial<H2OutgoingHead> = {}, endStream = true): Http2Stream | null {
    const head = {
      method: 'GET',
      path: '/',
      authority: 'a',
      scheme: 'http',
      protocol: null,
      headers: noContent,
      ...fields,
    };
    return this.connection.openStream(head, endStream);
  }

  bodyOf(id: number): string {
    return Buffer.concat(this.bodies.get(id) ?? []).toString('latin1');
  }

  onRequest(stream: Http2Stream, head: H2RequestHead, endStream: boolean): void {
    this.streams.push(stream);
    const what = head.tooLarge
      ? 'too large'
      : [head.method, head.path, head.authority, head.protocol].filter(Boolean).join(' ');
    this.events.push(`request ${stream.id} ${what}${endStream ? ' end' : ''}`, ...fieldLines(head.block));
    if (endStream) this.answer(stream);
  }

  private answer(stream: Http2Stream): void {
    if (this.options.answers === true) this.connection.sendResponseHead(stream, 204, noContent, true);
  }

  onResponse(stream: Http2Stream, status: number, block: HeaderBlock, endStream: boolean): void {
    this.events.push(`response ${stream.id} ${status}${endStream ? ' end' : ''}`, ...fieldLines(block));
  }

  onInformational(stream: Http2Stream, status: number): void {
    this.events.push(`informational ${stream.id} ${status}`);
  }

  onData(stream: Http2Stream, buffer: Buffer, offset: number, length: number, endStream: boolean): void {
    const parts = this.bodies.get(stream.id) ?? [];
    this.bodies.set(stream.id, parts);
    parts.push(Buffer.from(buffer.subarray(offset, offset + length)));
    if (this.options.consumes !== false) this.connection.consume(stream, length);
    if (!endStream) return;
    this.events.push(`end ${stream.id} ${this.bodyOf(stream.id).length} bytes`);
    this.answer(stream);
  }

  onTrailers(stream: Http2Stream, block: HeaderBlock): void {
    this.events.push(`trailers ${stream.id}`, ...fieldLines(block));
    this.answer(stream);
  }

  onReset(stream: Http2Stream, code: number, cause: Http2Error | null): void {
    this.events.push(`reset ${stream.id} ${code} ${cause === null ? 'remote' : 'local'}`);
  }

  onWritable(stream: Http2Stream): void {
    this.onWritableDo?.(stream);
  }

  onGoAway(lastId: number, code: number): void {
    this.events.push(`goaway ${lastId} ${code}`);
  }

  onConnectionError(error: Http2Error): void {
    this.events.push(`error ${error.code}`);
  }
}

function fieldLines(block: HeaderBlock): string[] {
  return block.names.map((name, i) => `  ${name}: ${JSON.stringify(block.values[i]).slice(1, -1)}`);
}
