// Statistics of the HTTP/2 codec by Envoy's names: `http2.` for clients, `cluster.<name>.http2.` for endpoints.

import type { Counter, Gauge, Scope } from '@weft/lib/metrics';
import type { Http2Error } from '../protocol/http2/error.ts';
import type { Http2Tally } from '../protocol/http2/tally.ts';

export class Http2Stats implements Http2Tally {
  readonly rxReset: Counter;
  readonly txReset: Counter;
  readonly rxMessagingError: Counter;
  readonly headerOverflow: Counter;
  readonly streamRefused: Counter;
  readonly trailers: Counter;
  readonly goAwaySent: Counter;
  readonly keepAliveTimeout: Counter;
  readonly txFlushTimeout: Counter;
  readonly streamsActive: Gauge;
  private readonly floods: Readonly<Record<string, Counter>>;

  /** `prefix` stands before each name within the scope. */
  constructor(scope: Scope, prefix = '') {
    const counter = (name: string): Counter => scope.counter(prefix + name);
    const gauge = (name: string): Gauge => scope.gauge(prefix + name);
    this.rxReset = counter('rx_reset');
    this.txReset = counter('tx_reset');
    this.rxMessagingError = counter('rx_messaging_error');
    this.headerOverflow = counter('header_overflow');
    this.streamRefused = counter('stream_refused_errors');
    this.trailers = counter('trailers');
    this.goAwaySent = counter('goaway_sent');
    this.keepAliveTimeout = counter('keepalive_timeout');
    this.txFlushTimeout = counter('tx_flush_timeout');
    this.streamsActive = gauge('streams_active');
    const control = counter('outbound_control_flood');
    this.floods = {
      empty_frame_flood: counter('inbound_empty_frames_flood'),
      priority_flood: counter('inbound_priority_frames_flood'),
      window_update_flood: counter('inbound_window_update_frames_flood'),
      header_block_flood: this.headerOverflow,
      outbound_flood: counter('outbound_flood'),
      outbound_control_flood: control,
      // What they cost are the acknowledgements.
      ping_flood: control,
      settings_flood: control,
    };
  }

  /** What ended a connection. */
  countError(error: Http2Error): void {
    const flood = this.floods[error.code];
    if (flood !== undefined) flood.value++;
  }
}
