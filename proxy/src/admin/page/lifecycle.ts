// Pages that change the life of the proxy, by POST only: drain, quit, fail and pass the health check.

import { type AdminReply, type AdminRequest, hasFlag, okReply } from '../reply.ts';
import type { AdminState } from '../state.ts';

/**
 * `?graceful` asks clients to leave and closes the listeners after the drain time, with `skip_exit` not even then; `?inboundonly` leaves
 * the listeners for the workload's own calls alone.
 */
export function drainListenersPage(state: AdminState, request: AdminRequest): AdminReply {
  const { query } = request;
  state.drainListeners({
    isGraceful: hasFlag(query, 'graceful'),
    staysOpen: hasFlag(query, 'skip_exit'),
    isInboundOnly: hasFlag(query, 'inboundonly'),
  });
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
