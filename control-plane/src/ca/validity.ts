// Serial numbers and dates that every certificate of the authority shares.

import { randomBytes } from 'node:crypto';

/** Clocks of other machines may be behind ours. */
export const backdateMs = 2 * 60_000;

/** 16 random bytes in hex, positive and without a leading zero byte. */
export function makeSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] as number) & 0x3f);
  return bytes.toString('hex');
}
