// Decoded messages -> bytes again, as a proxy forwards them, and what a decoder must then tell: for the fuzzer and the tests.

import { ByteWriter } from '@weft/lib/bytes';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import type { RequestHead, ResponseHead } from '../decode.ts';
import {
  encodeChunkEnd,
  encodeChunkHead,
  encodeLastChunk,
  encodeRequestHead,
  encodeResponseHead,
  FRAMING_CHUNKED,
  FRAMING_LENGTH,
  FRAMING_NONE,
} from '../encode.ts';

/** A whole message. */
export interface Message {
  readonly head: RequestHead | ResponseHead;
  readonly body: Buffer;
  readonly trailers: HeaderBlock | null;
}

/** The bytes a proxy would send on. A body without a length is sent chunked. */
export function encodeMessage(message: Message): Buffer {
  const out = new ByteWriter();
  const { head, body, trailers } = message;
  const isChunked = head.facts.chunked || ('isCloseDelimited' in head && head.isCloseDelimited);
  const headers = new Headers(head.block);
  const framing = !head.hasBody ? FRAMING_NONE : isChunked ? FRAMING_CHUNKED : FRAMING_LENGTH;
  if ('status' in head) encodeResponseHead(out, head.status, head.reason, headers, framing, '');
  else encodeRequestHead(out, head.method, head.path || head.target, head.authority || 'none', headers, framing);
  if (framing !== FRAMING_CHUNKED) {
    if (head.hasBody) out.append(body, 0, body.length);
    return out.take();
  }
  if (body.length > 0) {
    encodeChunkHead(out, body.length);
    out.append(body, 0, body.length);
    encodeChunkEnd(out);
  }
  encodeLastChunk(out, trailers === null ? null : new Headers(trailers));
  return out.take();
}

/** The header lines that survive forwarding, as `name: value`, Host apart: it says the authority. */
export function forwardedLines(head: RequestHead | ResponseHead): string[] {
  const { block, facts } = head;
  const dropsLength = 'status' in head && (head.isCloseDelimited || head.status === 204);
  const lines: string[] = [];
  for (let slot = 0; slot < block.names.length; slot++) {
    const name = block.names[slot] as string;
    if (facts.isHop(slot) || (name === 'host' && !('status' in head))) continue;
    if (name === 'content-length' && dropsLength) continue;
    lines.push(`${block.rawNames[slot]}: ${block.values[slot]}`);
  }
  if (facts.teTrailers && !('status' in head)) lines.push('te: trailers');
  return lines;
}
