// The `grpc-timeout` header: up to eight digits and a unit.

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/** Milliseconds, rounded up, or -1 when the text is no timeout. */
export function grpcTimeoutMs(text: string): number {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  if (match === null) return -1;
  return Math.ceil(Number(match[1]) * (unitMs[match[2] ?? ''] ?? 0));
}
