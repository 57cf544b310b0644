// The shape of an admin page: a pure function from the state and a query to a reply.

import type { AdminState } from './state.ts';

export interface AdminReply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface AdminRequest {
  /** Decoded path, such as `/decisions/ab12-3`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly method: string;
}

export type AdminPage = (state: AdminState, request: AdminRequest) => AdminReply;

export function textReply(body: string, status = 200): AdminReply {
  return { status, type: 'text/plain; charset=utf-8', body };
}

export function jsonReply(value: unknown, status = 200): AdminReply {
  return { status, type: 'application/json', body: `${JSON.stringify(value, writeBigInt, 1)}\n` };
}

// 64-bit numbers of proto3 JSON are strings; a stray bigint follows the same rule.
function writeBigInt(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

export function okReply(): AdminReply {
  return textReply('OK\n');
}

/** Whether a flag such as `?usedonly` is there and not switched off. */
export function hasFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== 'false' && value !== '0' && value !== 'off';
}
