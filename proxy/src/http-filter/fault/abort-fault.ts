// The fault of an injected abort: the table's row with the status that was asked for, made once per status.

import { grpcStatusFromHttp, httpStatusFromGrpc } from '@weft/lib/grpc/header';
import { type Fault, fault } from '../../fault/fault.ts';

const made: Map<string, Fault> = new Map();

/** For an HTTP status, or (with `status` 0) for a gRPC status. The other one is what the two protocols map it to. */
export function abortFault(status: number, grpcStatus: number): Fault {
  const key = `${status}/${grpcStatus}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const fields =
    status > 0
      ? { status, grpcStatus: grpcStatusFromHttp(status) }
      : { status: httpStatusFromGrpc(grpcStatus), grpcStatus };
  const reason = Object.freeze({ ...fault.fault_abort, ...fields });
  made.set(key, reason);
  return reason;
}
