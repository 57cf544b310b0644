// A client that sends the frames of a case over HTTP/2 and says what it got.

import type { Socket } from 'node:net';
import { HpackDecoder, OK } from '@weft/proxy/protocol/http2/hpack/decoder';
import { frameLine } from '@weft/proxy/protocol/http2/testing/frame-list';
import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';
import { contentOf, type Frame, FrameSplitter } from '../../kit/http2/frame-splitter.ts';
import type { Case } from './case.ts';
import { openSocket, type Visit } from './http1-visit.ts';
import { bodyLine, type Fields, fieldLines } from './outcome.ts';

interface Answer {
  readonly heads: Fields[];
  readonly body: Buffer[];
  isEnded: boolean;
  reset: string | null;
}

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const CONTINUATION = 9;

export class Http2Visit implements Visit {
  readonly socket: Socket;
  activeMs: number = performance.now();
  isOver = false;
  private goAway: string | null = null;
  private block: { readonly id: number; readonly ends: boolean; readonly parts: Buffer[] } | null = null;
  private readonly splitter = new FrameSplitter();
  private readonly hpack = new HpackDecoder(4096, 1_000_000, 1000);
  private readonly answers: Map<number, Answer> = new Map();

  constructor(port: number, one: Case) {
    this.socket = openSocket(port, one.address);
    this.socket.write(one.input);
    this.socket.on('data', (chunk: Buffer) => {
      this.activeMs = performance.now();
      this.splitter.push(chunk);
      for (let frame = this.splitter.next(); frame !== null; frame = this.splitter.next()) this.onFrame(frame);
    });
    for (const event of ['end', 'error', 'close']) {
      this.socket.on(event, () => {
        this.isOver = true;
      });
    }
  }

  private answer(id: number): Answer {
    const known = this.answers.get(id);
    if (known !== undefined) return known;
    const made: Answer = { heads: [], body: [], isEnded: false, reset: null };
    this.answers.set(id, made);
    return made;
  }

  private onFrame(frame: Frame): void {
    const { type, flags, id, payload } = frame;
    if (type === DATA) {
      this.answer(id).body.push(Buffer.from(contentOf(frame) ?? []));
      if ((flags & 1) !== 0) this.answer(id).isEnded = true;
    } else if (type === HEADERS || type === CONTINUATION) this.onBlockPart(frame);
    else if (type === RST_STREAM) this.answer(id).reset ??= frameLine(frame).split(' ')[2] ?? '';
    else if (type === GOAWAY) this.goAway = frameLine(frame).split(' ')[2] ?? '';
    else if (type === SETTINGS && (flags & 1) === 0) this.socket.write(framesOf('settings ack'));
    else if (type === PING && (flags & 1) === 0) this.socket.write(framesOf(`frame 6 1 0 ${payload.toString('hex')}`));
  }

  private onBlockPart(frame: Frame): void {
    this.block ??= { id: frame.id, ends: (frame.flags & 1) !== 0, parts: [] };
    this.block.parts.push(Buffer.from(contentOf(frame) ?? []));
    if ((frame.flags & 4) === 0) return;
    const { id, ends, parts } = this.block;
    this.block = null;
    const bytes = Buffer.concat(parts);
    if (this.hpack.decode(bytes, 0, bytes.length) !== OK) return;
    const values = [...this.hpack.values];
    this.answer(id).heads.push(this.hpack.names.map((name, at) => [name, values[at] ?? ''] as const));
    if (ends) this.answer(id).isEnded = true;
  }

  lines(): string[] {
    const lines = [...this.answers].sort(([a], [b]) => a - b).flatMap(([id, answer]) => answerLines(`<${id}`, answer));
    if (this.goAway !== null) lines.push(`goaway ${this.goAway}`);
    return [...lines, this.isOver ? 'closed' : 'open'];
  }
}

function answerLines(prefix: string, { heads, body, isEnded, reset }: Answer): string[] {
  const lines: string[] = [];
  let isUpstreams = false;
  for (const fields of heads) {
    const status = fields.find(([name]) => name === ':status')?.[1];
    if (status !== undefined) isUpstreams = fields.some(([name]) => name === 'x-up');
    const plain = fields.filter(([name]) => name !== ':status');
    if (status !== undefined) lines.push(`${prefix} ${status}${isUpstreams ? '' : ' local'}`);
    if (isUpstreams) lines.push(...fieldLines(status === undefined ? `${prefix} trailer` : prefix, plain));
  }
  if (isUpstreams) lines.push(...bodyLine(prefix, Buffer.concat(body)));
  if (reset !== null) lines.push(`${prefix} reset ${reset}`);
  else if (!isEnded) lines.push(`${prefix} unfinished`);
  return lines;
}
