// Durations and timestamps of messages in plain numbers.
import type { google } from '@weft/api/xds/types';

type Duration = google.protobuf.Duration;
type Timestamp = google.protobuf.Timestamp;

/** Milliseconds of a Duration, with fractions; 0 when unset. */
export function durationMs(duration: Duration | undefined): number {
  return duration === undefined ? 0 : (duration.seconds ?? 0) * 1000 + (duration.nanos ?? 0) / 1e6;
}

/** The Duration of so many milliseconds. */
export function durationFromMs(ms: number): Duration {
  const seconds = Math.trunc(ms / 1000);
  return { seconds, nanos: Math.min(999999999, Math.round((ms - seconds * 1000) * 1e6)) };
}

/** Unix milliseconds of a Timestamp. */
export function timestampMs(timestamp: Timestamp | undefined): number {
  return timestamp === undefined ? 0 : (timestamp.seconds ?? 0) * 1000 + (timestamp.nanos ?? 0) / 1e6;
}

/** The Timestamp of Unix milliseconds. */
export function timestampFromMs(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.min(999999999, Math.round((ms - seconds * 1000) * 1e6)) };
}
