// Pages that change the life of the proxy, by POST only: drain, quit, fail and pass the health check.

import { type AdminReply, type AdminRequest, hasFlag, okReply, textReply } from '../reply.ts';
import type { AdminState } from '../state.ts';

/** `?graceful` waits for exchanges in flight. Draining inbound listeners alone is not carried out. */
export function drainListenersPage(state: AdminState, request: AdminRequest): AdminReply {
  const { query } = request;
  if (hasFlag(query, 'inboundonly')) {
    return textReply('inboundonly is not carried out; leave it out to drain every listener\n', 400);
  }
  state.drainListeners({ isGraceful: hasFlag(query, 'graceful') });
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
