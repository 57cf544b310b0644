// Header blocks -> heads. A block whose bytes were seen before, while the table has not changed, is the same immutable head.

import type { HeaderBlock } from '@weft/lib/header';
import { HitRate } from '../hit-rate.ts';
import { BlockCache } from './block-cache.ts';
import { readRequest, readResponse, readTrailers } from './header-rules.ts';
import { FLOOD, HpackDecoder, MALFORMED, TOO_LARGE } from './hpack/decoder.ts';
import type { H2RequestHead, H2ResponseHead } from './message.ts';
import type { Http2Limits } from './settings.ts';

export const REQUEST = 0;
export const RESPONSE = 1;
export const TRAILERS = 2;
export type BlockKind = typeof REQUEST | typeof RESPONSE | typeof TRAILERS;

/** Why there is no head: the table is lost or so much came that it was given up (either ends the connection), the message is malformed, or there is too much of it. */
export type NoHead = 'compression' | 'flood' | 'malformed' | 'too-large';

type Head = H2RequestHead | H2ResponseHead | HeaderBlock;

export class HeadReader {
  private readonly decoder: HpackDecoder;
  private readonly caches = [new BlockCache<Head>(), new BlockCache<Head>(), new BlockCache<Head>()] as const;
  private readonly rates = [new HitRate(), new HitRate(), new HitRate()] as const;
  private generation = 0;

  constructor(tableMax: number, limits: Http2Limits) {
    this.decoder = new HpackDecoder(tableMax, limits.maxHeaderListBytes, limits.maxHeaderCount);
  }

  readRequest(buffer: Buffer, start: number, end: number): H2RequestHead | NoHead {
    return this.read(REQUEST, buffer, start, end) as H2RequestHead | NoHead;
  }

  readResponse(buffer: Buffer, start: number, end: number): H2ResponseHead | NoHead {
    return this.read(RESPONSE, buffer, start, end) as H2ResponseHead | NoHead;
  }

  readTrailers(buffer: Buffer, start: number, end: number): HeaderBlock | NoHead {
    return this.read(TRAILERS, buffer, start, end) as HeaderBlock | NoHead;
  }

  /** The peer has acknowledged the size of our table. */
  acknowledgeTableSize(): void {
    this.decoder.acknowledge();
  }

  private read(kind: BlockKind, buffer: Buffer, start: number, end: number): Head | NoHead {
    const rate = this.rates[kind];
    const cache = this.caches[kind];
    rate.onLookup();
    if (rate.isResting || !cache.takes(end - start)) return this.decode(kind, buffer, start, end);
    const known = cache.get(buffer, start, end);
    if (known !== null) {
      rate.onHit();
      return known;
    }
    const before = this.decoder.generation;
    const head = this.decode(kind, buffer, start, end);
    // A block that changes the table means something else the next time.
    if (typeof head !== 'string' && this.decoder.generation === before)
      cache.put(buffer, start, end, head, this.decoder.listBytes);
    return head;
  }

  private decode(kind: BlockKind, buffer: Buffer, start: number, end: number): Head | NoHead {
    const { decoder } = this;
    const result = decoder.decode(buffer, start, end);
    if (decoder.generation !== this.generation) this.forget();
    if (result === MALFORMED) return 'compression';
    if (result === FLOOD) return 'flood';
    if (result === TOO_LARGE) return 'too-large';
    const head = makeHead(kind, decoder.names, decoder.values);
    decoder.forgetFields();
    return head ?? 'malformed';
  }

  private forget(): void {
    this.generation = this.decoder.generation;
    for (const cache of this.caches) cache.clear();
  }
}

function makeHead(kind: BlockKind, names: readonly string[], values: readonly string[]): Head | null {
  if (kind === REQUEST) return readRequest(names, values);
  return kind === RESPONSE ? readResponse(names, values) : readTrailers(names, values);
}
