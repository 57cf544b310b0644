// What the codecs of all listeners count together, by Envoy's names: `http1.` and `http2.`.

import type { Counter, Scope, ScopeSource } from '@weft/lib/metrics';
import { Http2Stats } from '../../upstream/http2-stats.ts';

/** Requests whose header names hold an underscore, where that is not allowed. */
export class UnderscoreStats {
  readonly dropped: Counter;
  readonly rejected: Counter;

  constructor(scope: Scope) {
    this.dropped = scope.counter('dropped_headers_with_underscores');
    this.rejected = scope.counter('requests_rejected_with_underscores_in_headers');
  }
}

export interface CodecStats {
  readonly http2: Http2Stats;
  readonly http1Underscores: UnderscoreStats;
  readonly http2Underscores: UnderscoreStats;
}

export function codecStats(metrics: ScopeSource): CodecStats {
  const http2 = metrics.scope({ prefix: 'http2' });
  return {
    http2: new Http2Stats(http2),
    http1Underscores: new UnderscoreStats(metrics.scope({ prefix: 'http1' })),
    http2Underscores: new UnderscoreStats(http2),
  };
}
