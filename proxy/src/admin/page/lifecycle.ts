// Pages that change the life of the proxy, by POST only: drain, quit, fail and pass the health check.

import { type AdminReply, type AdminRequest, hasFlag, okReply, textReply } from '../reply.ts';
import type { AdminState } from '../state.ts';

/**
 * `?graceful` asks clients to leave and closes the listeners after the drain time, with `skip_exit` not even then; `?inboundonly` leaves
 * the listeners for the workload's own calls alone.
 */
export function drainListenersPage(state: AdminState, request: AdminRequest): AdminReply {
  const { query } = request;
  const isGraceful = hasFlag(query, 'graceful');
  const staysOpen = hasFlag(query, 'skip_exit');
  // As Envoy: who wants the listeners to stay must not have them closed at once.
  if (staysOpen && !isGraceful) return textReply('skip_exit requires graceful\n', 400);
  state.drainListeners({ isGraceful, staysOpen, isInboundOnly: hasFlag(query, 'inboundonly') });
  return okReply();
}

export function quitPage(state: AdminState): AdminReply {
  state.quit();
  return okReply();
}

export function failHealthCheckPage(state: AdminState): AdminReply {
  state.setHealthCheckFailed(true);
  return okReply();
}

export function passHealthCheckPage(state: AdminState): AdminReply {
  state.setHealthCheckFailed(false);
  return okReply();
}
