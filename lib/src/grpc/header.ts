// gRPC as it stands in HTTP headers: content types, statuses, messages (gRPC over HTTP/2; http-grpc-status-mapping).

const grpcType = 'application/grpc';

/** `application/grpc`, alone or with a message format or parameters. gRPC-Web is something else. */
export function isGrpcType(type: string | undefined): boolean {
  if (type === undefined || !type.startsWith(grpcType)) return false;
  const next = type[grpcType.length];
  return next === undefined || next === '+' || next === ';';
}

const unknown = 2;

/** The number in a `grpc-status` header; what is none is UNKNOWN, as clients read it. */
export function parseGrpcStatus(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : unknown;
}

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

/** The gRPC status of an answer that only has an HTTP status. */
export function grpcStatusFromHttp(status: number): number {
  return grpcByHttp[status] ?? unknown;
}

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

/** What proxies answer in HTTP in place of a gRPC status. */
export function httpStatusFromGrpc(grpcStatus: number): number {
  return httpByGrpc[grpcStatus] ?? 500;
}

/** Percent-Byte-Encoded for `grpc-message`: space to tilde except percent stay. */
export function encodeGrpcMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
