// Heads -> HEADERS and CONTINUATION frames. What repeats is encoded once: the fields of a shared block are kept as bytes.

import { ByteWriter } from '@weft/lib/bytes';
import type { HeaderBlock, Headers } from '@weft/lib/header';
import { factsOf } from '../http1/message-facts.ts';
import { CONTINUATION, END_HEADERS, END_STREAM, HEADERS, writeFrameHead } from './frame/frame.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import type { H2OutgoingHead } from './message.ts';

const notForwarded: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** The fields of a block as they were last encoded. */
interface EncodedBlock {
  readonly block: HeaderBlock;
  readonly generation: number;
  readonly absent: number;
  readonly bytes: Buffer;
}

const keptBlocks = 8;

export class HeadWriter {
  readonly encoder: HpackEncoder = new HpackEncoder();
  maxFrameBytes = 16_384;
  private readonly fragment = new ByteWriter(1024);
  private readonly kept: (EncodedBlock | null)[] = new Array<EncodedBlock | null>(keptBlocks).fill(null);
  private nextKept = 0;
  /** Blocks that came once lately: only those that come again are kept. */
  private readonly cameOnce: (HeaderBlock | null)[] = new Array<HeaderBlock | null>(keptBlocks).fill(null);
  private nextOnce = 0;

  writeRequest(out: ByteWriter, id: number, head: H2OutgoingHead, endStream: boolean): void {
    const { encoder, fragment } = this;
    fragment.reset();
    encoder.begin(fragment);
    encoder.field(fragment, ':method', head.method);
    const isPlainConnect = head.method === 'CONNECT' && head.protocol === null;
    if (!isPlainConnect) encoder.field(fragment, ':scheme', head.scheme === '' ? 'http' : head.scheme);
    if (head.authority !== '') encoder.field(fragment, ':authority', head.authority);
    if (!isPlainConnect) encoder.field(fragment, ':path', head.path);
    if (head.protocol !== null) encoder.field(fragment, ':protocol', head.protocol);
    this.fields(head.headers);
    this.frames(out, id, endStream);
  }

  writeResponse(out: ByteWriter, id: number, status: number, headers: Headers, endStream: boolean): void {
    const { encoder, fragment } = this;
    fragment.reset();
    encoder.begin(fragment);
    encoder.field(fragment, ':status', String(status));
    this.fields(headers);
    this.frames(out, id, endStream);
  }

  writeTrailers(out: ByteWriter, id: number, trailers: Headers): void {
    this.fragment.reset();
    this.encoder.begin(this.fragment);
    this.fields(trailers);
    this.frames(out, id, true);
  }

  private fields(headers: Headers): void {
    const { base } = headers;
    const size = base.names.length;
    const absent = headers.removedMask;
    const known = this.find(base, absent);
    if (known !== null) this.fragment.append(known.bytes, 0, known.bytes.length);
    else this.encodeBase(headers, base, absent);
    for (let slot = size; slot < headers.slots; slot++) {
      if (headers.present(slot)) this.field(headers.nameAt(slot), headers.valueAt(slot));
    }
  }

  private find(block: HeaderBlock, absent: number): EncodedBlock | null {
    const { generation } = this.encoder;
    for (const one of this.kept) {
      if (one !== null && one.block === block && one.absent === absent && one.generation === generation) return one;
    }
    return null;
  }

  private encodeBase(headers: Headers, block: HeaderBlock, absent: number): void {
    const { fragment, encoder } = this;
    const start = fragment.length;
    const before = encoder.generation;
    // RFC 9110 §7.6.1: what Connection names is for one hop. Only a block that came by HTTP/1 has it.
    const facts = block.names.includes('connection') ? factsOf(block) : null;
    for (let slot = 0; slot < block.names.length; slot++) {
      if (!headers.present(slot)) continue;
      if (facts?.isHop(slot) !== true || block.names[slot] === 'te')
        this.field(block.names[slot] as string, block.values[slot] as string);
    }
    // Bytes that fill the table are not what the same fields look like the next time.
    if (encoder.generation !== before || !this.comesAgain(block)) return;
    const bytes = Buffer.from(fragment.view().subarray(start));
    this.kept[this.nextKept++ % keptBlocks] = { block, generation: before, absent, bytes };
  }

  private comesAgain(block: HeaderBlock): boolean {
    if (this.cameOnce.includes(block)) return true;
    this.cameOnce[this.nextOnce++ % keptBlocks] = block;
    return false;
  }

  private field(name: string, value: string): void {
    if (notForwarded.has(name) || name.startsWith(':')) return;
    if (name === 'te' && value !== 'trailers') {
      if (!value.toLowerCase().includes('trailers')) return;
      this.encoder.field(this.fragment, 'te', 'trailers');
      return;
    }
    this.encoder.field(this.fragment, name, value);
  }

  // RFC 9113 §6.2: a block that does not fit one frame goes on in CONTINUATIONs, with nothing between.
  private frames(out: ByteWriter, id: number, endStream: boolean): void {
    const bytes = this.fragment.view();
    const { maxFrameBytes } = this;
    let at = Math.min(bytes.length, maxFrameBytes);
    const flags = (endStream ? END_STREAM : 0) | (at === bytes.length ? END_HEADERS : 0);
    writeFrameHead(out, at, HEADERS, flags, id);
    out.append(bytes, 0, at);
    while (at < bytes.length) {
      const length = Math.min(bytes.length - at, maxFrameBytes);
      writeFrameHead(out, length, CONTINUATION, at + length === bytes.length ? END_HEADERS : 0, id);
      out.append(bytes, at, length);
      at += length;
    }
  }
}
