// Marks requests with a header before they are routed.

import type { Counter, Scope } from '@weft/lib/metrics';
import { CONTINUE, type FilterStatus, type HttpFilter } from '../../../proxy/src/http-filter/filter.ts';
import type { Stream } from '../../../proxy/src/stream/stream.ts';

/** One per filter chain, shared by all its streams: what it remembers of one goes into `stream.filterState[this.slot]`. */
export class SampleFilter implements HttpFilter {
  readonly name: string;
  slot = -1;
  readonly onRequestHead: (stream: Stream, endStream: boolean) => FilterStatus;
  // Hooks that are not needed stay null: they cost one comparison.
  readonly onRequestData = null;
  readonly onRequestTrailers = null;
  readonly onResponseHead = null;
  readonly onResponseData = null;
  readonly onResponseTrailers = null;
  readonly onComplete = null;
  private readonly header: string;
  private readonly marked: Counter;

  constructor(name: string, header: string, scope: Scope) {
    this.name = name;
    this.header = header;
    this.marked = scope.counter('sample.marked');
    this.onRequestHead = (stream) => this.mark(stream);
  }

  private mark(stream: Stream): FilterStatus {
    stream.requestHeaders.set(this.header, 'yes');
    this.marked.inc();
    return CONTINUE;
  }
}
