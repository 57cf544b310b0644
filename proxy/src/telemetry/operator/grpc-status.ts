// The gRPC status of an exchange: from its trailers, its headers, or the HTTP status where the peer said nothing.

import { grpcStatusFromHttp, isGrpcType, parseGrpcStatus } from '@weft/lib/grpc/header';
import type { LoggedView } from '../view.ts';

// In order of number (grpc/status.proto); Envoy's spelling.
const names = [
  ['OK', 'OK'],
  ['Canceled', 'CANCELLED'],
  ['Unknown', 'UNKNOWN'],
  ['InvalidArgument', 'INVALID_ARGUMENT'],
  ['DeadlineExceeded', 'DEADLINE_EXCEEDED'],
  ['NotFound', 'NOT_FOUND'],
  ['AlreadyExists', 'ALREADY_EXISTS'],
  ['PermissionDenied', 'PERMISSION_DENIED'],
  ['ResourceExhausted', 'RESOURCE_EXHAUSTED'],
  ['FailedPrecondition', 'FAILED_PRECONDITION'],
  ['Aborted', 'ABORTED'],
  ['OutOfRange', 'OUT_OF_RANGE'],
  ['Unimplemented', 'UNIMPLEMENTED'],
  ['Internal', 'INTERNAL'],
  ['Unavailable', 'UNAVAILABLE'],
  ['DataLoss', 'DATA_LOSS'],
  ['Unauthenticated', 'UNAUTHENTICATED'],
] as const;

/** The name of a status, or its number where it has none. */
export function grpcStatusName(status: number, isSnake: boolean): string {
  return names[status]?.[isSnake ? 1 : 0] ?? String(status);
}

/** The number of a status by the name that `GrpcStatusFilter` uses (`CANCELED`), or -1. */
export function grpcStatusNumber(name: string): number {
  const wanted = name === 'CANCELED' ? 'CANCELLED' : name;
  return names.findIndex((pair) => pair[1] === wanted);
}

/** Null where the exchange is not gRPC. */
export function grpcStatusOf(view: LoggedView): number | null {
  return isGrpcType(view.requestHeaders.get('content-type')) ? anyGrpcStatusOf(view) : null;
}

/** The same of any exchange, gRPC or not, as Envoy's `GrpcStatusFilter` has it; null without a response. */
export function anyGrpcStatusOf(view: LoggedView): number | null {
  const text = view.responseTrailers?.get('grpc-status') ?? view.responseHeaders?.get('grpc-status');
  if (text !== undefined) return parseGrpcStatus(text);
  return view.status === 0 ? null : grpcStatusFromHttp(view.status);
}
