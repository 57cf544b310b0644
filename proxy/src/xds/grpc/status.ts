// gRPC status codes, and how a call that ended is told.
import type { IncomingHttpHeaders } from 'node:http2';

export const grpcOk = 0;
export const grpcUnknown = 2;
export const grpcInvalidArgument = 3;
export const grpcUnimplemented = 12;
export const grpcInternal = 13;
export const grpcUnavailable = 14;
export const grpcUnauthenticated = 16;
const grpcPermissionDenied = 7;
const grpcResourceExhausted = 8;

const names = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];

/** How a call ended. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
}

/** `UNAVAILABLE: no connection`. */
export function formatStatus(status: GrpcStatus): string {
  const name = names[status.code] ?? `status ${status.code}`;
  return status.message === '' ? name : `${name}: ${status.message}`;
}

/** The status in trailers, or in the headers of a reply that is trailers only; null when there is none. */
export function statusOf(headers: IncomingHttpHeaders): GrpcStatus | null {
  const text = headers['grpc-status'];
  if (typeof text !== 'string') return null;
  const code = /^\d{1,3}$/.test(text) ? Number(text) : grpcUnknown;
  const message = headers['grpc-message'];
  return { code, message: typeof message === 'string' ? decodePercent(message) : '' };
}

/** The status for a reply that is not gRPC at all: a proxy's error page, a wrong port. Null when the head is right. */
export function statusOfHead(headers: IncomingHttpHeaders): GrpcStatus | null {
  const httpStatus = Number(headers[':status']);
  if (httpStatus !== 200) return { code: codeOfHttp(httpStatus), message: `the server answered HTTP ${httpStatus}` };
  const contentType = headers['content-type'];
  if (typeof contentType === 'string' && contentType.startsWith('application/grpc')) return null;
  return {
    code: grpcUnknown,
    message: `the server answered content type ${contentType ?? '(none)'}, which is not gRPC`,
  };
}

function codeOfHttp(status: number): number {
  if (status === 401) return grpcUnauthenticated;
  if (status === 403) return grpcPermissionDenied;
  if (status === 404) return grpcUnimplemented;
  if (status === 429) return grpcResourceExhausted;
  return status >= 502 && status <= 504 ? grpcUnavailable : grpcUnknown;
}

/** Percent-encoded UTF-8; what is not well-formed stays as it is. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
