// An HTTP/2 peer of either side that sends exactly the frames it is told to and writes down those that come.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { CONTINUATION, DATA, HEADERS, headBytes, SETTINGS } from '@weft/proxy/protocol/http2/frame/frame';
import { HpackDecoder } from '@weft/proxy/protocol/http2/hpack/decoder';
import { preface } from '@weft/proxy/protocol/http2/peer-settings';
import { frameLine, parseFrames, type WrittenFrame } from '@weft/proxy/protocol/http2/testing/frame-list';
import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';
import { Changes } from './changes.ts';
import { within } from './until.ts';
import { startTcpServer } from './upstream.ts';

/** Frames go by `framesOf`; what comes is written down as by `frameLine`, heads with their fields. */
export class FramePeer {
  readonly socket: Socket;
  readonly lines: string[] = [];
  /** Called with each line that comes. */
  onLine: ((line: string) => void) | null = null;
  /** What the other side announced, by identifier. */
  readonly settings: Map<number, number> = new Map();
  /** Content by stream. */
  readonly bodies: Map<number, string> = new Map();
  private readonly decoder = new HpackDecoder(4096, 1_000_000, 10_000);
  private bytes: Buffer = Buffer.alloc(0);
  private isPrefaceDue: boolean;
  private isClosed = false;
  private readonly changes = new Changes();

  constructor(socket: Socket, role: 'client' | 'server') {
    this.socket = socket;
    this.isPrefaceDue = role === 'server';
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.changes.tell();
    });
  }

  /** Sends the frames of a script. */
  send(script: string): void {
    this.socket.write(framesOf(script));
  }

  /** Sends them again and again, as long as the other side reads. */
  pour(script: string): void {
    const bytes = framesOf(script);
    const go = (): void => {
      while (!this.socket.destroyed && this.socket.write(bytes));
    };
    this.socket.on('drain', go);
    go();
  }

  /** Resolves with the first line that matches, come or to come. */
  async seen(pattern: RegExp): Promise<string> {
    const found = await within(
      `a frame like ${pattern}; there were ${JSON.stringify(this.lines.slice(-8))}`,
      this.changes.find(() => this.lines.find((line) => pattern.test(line)) ?? (this.isClosed ? '' : null)),
    );
    assert.notEqual(found, '', `closed without ${pattern}; there were ${JSON.stringify(this.lines.slice(-8))}`);
    return found;
  }

  /** Resolves when the other side has closed. */
  async closed(): Promise<void> {
    await within(
      'the end of the connection',
      this.changes.find(() => (this.isClosed ? true : null)),
    );
  }

  private take(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    if (this.isPrefaceDue) {
      if (this.bytes.length < preface.length) return;
      this.bytes = this.bytes.subarray(preface.length);
      this.isPrefaceDue = false;
    }
    for (let size = this.wholeFrame(); size > 0; size = this.wholeFrame()) {
      for (const frame of parseFrames(this.bytes.subarray(0, size))) this.note(frame);
      this.bytes = this.bytes.subarray(size);
    }
    this.changes.tell();
  }

  private wholeFrame(): number {
    if (this.bytes.length < headBytes) return 0;
    const size = headBytes + this.bytes.readUIntBE(0, 3);
    return size <= this.bytes.length ? size : 0;
  }

  private note(frame: WrittenFrame): void {
    if (frame.type === DATA) {
      this.bodies.set(frame.id, (this.bodies.get(frame.id) ?? '') + frame.payload.toString('latin1'));
    }
    if (frame.type === SETTINGS) this.noteSettings(frame.payload);
    const fields = frame.type === HEADERS || frame.type === CONTINUATION ? this.fieldsOf(frame) : '';
    const line = `${frameLine(frame)}${fields}`;
    this.lines.push(line);
    this.onLine?.(line);
  }

  private noteSettings(payload: Buffer): void {
    for (let at = 0; at < payload.length; at += 6)
      this.settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  }

  private fieldsOf(frame: WrittenFrame): string {
    this.decoder.decode(frame.payload, 0, frame.payload.length);
    return this.decoder.names.map((name, i) => ` ${name}=${this.decoder.values[i]}`).join('');
  }
}

/** Connects as a client and sends preface and SETTINGS. */
export async function openFramePeer(
  context: Pick<TestContext, 'after'>,
  port: number,
  settings = 'settings',
): Promise<FramePeer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  context.after(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  const peer = new FramePeer(socket, 'client');
  peer.send(`preface\n${settings}`);
  return peer;
}

/** An endpoint over HTTP/2 that does what it is told: each connection is told of as it comes, counted from 1. Returns its port. */
export async function startFrameUpstream(
  context: Pick<TestContext, 'after'>,
  onPeer: (peer: FramePeer, count: number) => void,
): Promise<number> {
  let count = 0;
  return startTcpServer(context, (socket) => onPeer(new FramePeer(socket, 'server'), ++count));
}

/** The stream of a request's head among the lines; null when the line is another. */
export function requestOf(line: string): number | null {
  const id = /^HEADERS (\d+) /.exec(line)?.[1];
  return id === undefined ? null : Number(id);
}
