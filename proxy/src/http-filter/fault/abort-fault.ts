// The fault of an injected abort: the table's row with the status that was asked for, made once per status.

import { type Fault, fault } from '../../fault/fault.ts';

const made: Map<string, Fault> = new Map();

/** For an HTTP status, or (with `status` 0) for a gRPC status. The other one is what the two protocols map it to. */
export function abortFault(status: number, grpcStatus: number): Fault {
  const key = `${status}/${grpcStatus}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const fields = status > 0 ? { status, grpcStatus: grpcOf(status) } : { status: httpOf(grpcStatus), grpcStatus };
  const reason = Object.freeze({ ...fault.fault_abort, ...fields });
  made.set(key, reason);
  return reason;
}

// gRPC: "HTTP to gRPC Status Code Mapping".
const grpcByHttp: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

function grpcOf(status: number): number {
  return grpcByHttp[status] ?? 2;
}

// What proxies answer to clients that do not speak gRPC.
const httpByGrpc: Readonly<Record<number, number>> = {
  0: 200,
  1: 499,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  14: 503,
  16: 401,
};

function httpOf(grpcStatus: number): number {
  return httpByGrpc[grpcStatus] ?? 500;
}
