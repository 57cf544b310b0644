// How long a stream may wait for its client, over either version of HTTP.

import { fault } from '../../fault/fault.ts';
import type { Exchange } from '../../stream/exchange.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';

/** Milliseconds on the clock, infinity without a limit. `isRequestOver` says that nothing more of the request is to come. */
export function streamDeadlineMs(exchange: Exchange, manager: HttpConnectionManager, isRequestOver: boolean): number {
  return Math.min(idleDeadlineMs(exchange, manager), requestDeadlineMs(exchange, manager, isRequestOver));
}

/** Fails the exchange if its time is up; true when it did. */
export function failLateStream(
  exchange: Exchange,
  manager: HttpConnectionManager,
  isRequestOver: boolean,
  nowMs: number,
): boolean {
  if (nowMs >= requestDeadlineMs(exchange, manager, isRequestOver)) {
    exchange.fail(fault.request_body_timeout, 'request_overall_timeout');
    return true;
  }
  if (nowMs < idleDeadlineMs(exchange, manager)) return false;
  manager.counters.streamIdleTimeout.inc();
  exchange.fail(fault.stream_idle, 'stream_idle_timeout', isRequestOver ? 0 : 408);
  return true;
}

function idleDeadlineMs({ route, activeMs }: Exchange, manager: HttpConnectionManager): number {
  const ofRoute = route?.idleTimeoutMs ?? -1;
  const idleMs = ofRoute < 0 ? manager.streamIdleTimeoutMs : ofRoute;
  return idleMs === 0 ? Number.POSITIVE_INFINITY : activeMs + idleMs;
}

// As Envoy: a request need not be over when its response begins.
function requestDeadlineMs(exchange: Exchange, manager: HttpConnectionManager, isRequestOver: boolean): number {
  const { requestTimeoutMs } = manager;
  if (requestTimeoutMs === 0 || isRequestOver || exchange.responseStarted) return Number.POSITIVE_INFINITY;
  return exchange.startMs + requestTimeoutMs;
}
