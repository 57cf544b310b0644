// The `grpc-timeout` header: up to eight digits and a unit; what a route grants of it.

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/** Milliseconds, rounded up, or -1 when the text is no timeout. */
export function grpcTimeoutMs(text: string): number {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  if (match === null) return -1;
  return Math.ceil(Number(match[1]) * (unitMs[match[2] ?? ''] ?? 0));
}

/** The header for so many milliseconds: seconds where the digits do not suffice. */
export function grpcTimeoutText(ms: number): string {
  return ms < 100_000_000 ? `${Math.ceil(ms)}m` : `${Math.min(Math.ceil(ms / 1000), 99_999_999)}S`;
}

/** A route's older fields for gRPC: `max_grpc_timeout` and `grpc_timeout_offset`. */
export interface GrpcTimeoutLimit {
  /** 0: what is asked is granted. */
  readonly maxMs: number;
  readonly offsetMs: number;
}

/** What a gRPC request gets, 0 for no limit. As Envoy: without a header it asks for no limit. */
export function grantedTimeoutMs(limit: GrpcTimeoutLimit, header: string | undefined): number {
  const told = header === undefined ? 0 : Math.max(0, grpcTimeoutMs(header));
  const asked = told > limit.offsetMs ? told - limit.offsetMs : told;
  return limit.maxMs !== 0 && (asked === 0 || asked > limit.maxMs) ? limit.maxMs : asked;
}
