// `/decisions` and `/decisions/ID`: why the mesh answered by itself.

import { decisionToJson } from '../../telemetry/decisions.ts';
import { type AdminReply, type AdminRequest, jsonReply, textReply } from '../reply.ts';
import type { AdminState } from '../state.ts';

/** The latest first; `?limit=N`. */
export function decisionsPage(state: AdminState, request: AdminRequest): AdminReply {
  const limitText = request.query.get('limit') ?? '1000';
  if (!/^\d{1,4}$/.test(limitText)) return textReply(`limit '${limitText}' is no number from 0 to 9999\n`, 400);
  const decisions = state.decisions.recent(Number(limitText)).map(decisionToJson);
  return jsonReply({ total: state.decisions.total, decisions });
}

export function decisionPage(state: AdminState, request: AdminRequest): AdminReply {
  const id = request.path.slice('/decisions/'.length);
  const decision = state.decisions.find(id);
  if (decision !== null) return jsonReply(decisionToJson(decision));
  return textReply(
    `there is no decision '${id}' here: another proxy made it, or it is no longer among the last 1,000\n`,
    404,
  );
}
