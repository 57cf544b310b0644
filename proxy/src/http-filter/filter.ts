// The seam of every HTTP filter: one compiled object per filter chain, shared by all its streams. What a filter remembers about
// one stream it keeps in `stream.filterState[slot]`. A hook that a filter does not need is `null` and costs one comparison.

import type { Stream } from '../stream/stream.ts';

/** Go on to the next filter. */
export const CONTINUE = 0;
/**
 * Do not go on. The filter has answered (`stream.fail`, `stream.reply`), or will call `stream.continueRequest(slot)` /
 * `stream.continueResponse(slot)` later; until then the body waits, bounded by the stream's buffer limit, and reads are paused.
 * From a data hook: the chunk was consumed; the filter may call `stream.passRequestData(slot, ...)` / `passResponseData` itself.
 * From the hook of response trailers: they were consumed, and the filter has ended the response by `passResponseData(..., true)`.
 */
export const STOP = 1;
export type FilterStatus = typeof CONTINUE | typeof STOP;

/** A compiled filter. Chunks are borrowed: valid only during the call, copy to keep. */
export interface HttpFilter {
  /** The name in the configuration, for per-route overrides: `stream.routeConfig(filter)`. */
  readonly name: string;
  /** Index into `stream.filterState`; set when the chain is compiled. */
  slot: number;
  readonly onRequestHead: ((stream: Stream, endStream: boolean) => FilterStatus) | null;
  readonly onRequestData:
    | ((stream: Stream, buffer: Buffer, offset: number, length: number, endStream: boolean) => FilterStatus)
    | null;
  readonly onRequestTrailers: ((stream: Stream) => FilterStatus) | null;
  readonly onResponseHead: ((stream: Stream, endStream: boolean) => FilterStatus) | null;
  readonly onResponseData:
    | ((stream: Stream, buffer: Buffer, offset: number, length: number, endStream: boolean) => FilterStatus)
    | null;
  readonly onResponseTrailers: ((stream: Stream) => FilterStatus) | null;
  /** Always runs, once, when the stream is over for whatever reason: stop timers, give back permits. */
  readonly onComplete: ((stream: Stream) => void) | null;
}
