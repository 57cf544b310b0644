// Time limits as messages give them.

import type { google } from '@weft/api/xds/types';
import { durationMs } from '@weft/lib/protobuf/duration';

/** Milliseconds: absent is the default, an explicit zero means none. */
export function timeMs(duration: google.protobuf.Duration | undefined, defaultMs: number): number {
  return duration === undefined ? defaultMs : durationMs(duration);
}
