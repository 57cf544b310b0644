// Serial numbers and dates that every certificate of the authority shares, and when the control plane renews its own.

import { randomBytes } from 'node:crypto';
import type { WallMoment } from '@weft/lib/wall-timer';

/** Clocks of other machines may be behind ours. */
export const backdateMs = 2 * 60_000;

/** 16 random bytes in hex, positive and without a leading zero byte. */
export function makeSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] as number) & 0x3f);
  return bytes.toString('hex');
}

/** At half of what is left, and at once when the clock is set back to before the certificate's time. */
export function renewalOf(dates: { notBeforeMs: number; notAfterMs: number }, nowMs: number): WallMoment {
  const { notBeforeMs, notAfterMs } = dates;
  return { atMs: nowMs + Math.max(1000, (notAfterMs - nowMs) / 2), notBeforeMs };
}
