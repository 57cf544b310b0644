// 64-bit integers between two 32-bit halves and what they are in memory: a number when exact, else a bigint.

const two32 = 4294967296;

/** The value of an unsigned 64-bit integer. Both halves are taken as unsigned. */
export function unsigned64(low: number, high: number): number | bigint {
  const lowBits = low >>> 0;
  const highBits = high >>> 0;
  if (highBits <= 0x1fffff) return highBits * two32 + lowBits;
  return (BigInt(highBits) << 32n) | BigInt(lowBits);
}

/** The value of a two's complement 64-bit integer. */
export function signed64(low: number, high: number): number | bigint {
  const highBits = high | 0;
  const value = highBits * two32 + (low >>> 0);
  if (Number.isSafeInteger(value)) return value;
  return BigInt.asIntN(64, (BigInt(highBits) << 32n) | BigInt(low >>> 0));
}

/** The lower 32 bits of a safe integer or bigint, two's complement, as a signed number. */
export function lowHalf(value: number | bigint): number {
  if (typeof value === 'bigint') return Number(BigInt.asIntN(32, value));
  return value >= 0 ? (value % two32) | 0 : Number(BigInt.asIntN(32, BigInt(value)));
}

/** The upper 32 bits. */
export function highHalf(value: number | bigint): number {
  if (typeof value === 'bigint') return Number(BigInt.asIntN(32, value >> 32n));
  return Math.floor(value / two32) | 0;
}

/** A bigint as it is held in memory. */
export function held64(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
