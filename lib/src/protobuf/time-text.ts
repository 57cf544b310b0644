// Durations and timestamps between their two numbers and proto3 JSON text.
import { maxDurationSeconds, maxTimestampSeconds, minTimestampSeconds } from './message-form.ts';

export interface SecondsAndNanos {
  seconds?: number;
  nanos?: number;
}

/** `1.5s` -> seconds and nanos; null when malformed or out of range. */
export function parseDuration(text: string): SecondsAndNanos | null {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text);
  if (match === null) return null;
  const seconds = Number(match[2]);
  if (seconds > maxDurationSeconds) return null;
  const nanos = Number((match[3] ?? '').padEnd(9, '0'));
  return match[1] === '-' ? sparse(-seconds, -nanos) : sparse(seconds, nanos);
}

/** Seconds and nanos -> `1.500s`, with 0, 3, 6 or 9 digits. */
export function formatDuration(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${formatNanos(Math.abs(nanos))}s`;
}

/** RFC 3339 with any offset -> seconds and nanos; null when malformed or out of range. */
export function parseTimestamp(text: string): SecondsAndNanos | null {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return null;
  const dayMs = Date.parse(`${match[1]}T00:00:00Z`);
  // `Date` moves 30 February into March instead of refusing it.
  if (Number.isNaN(dayMs) || !new Date(dayMs).toISOString().startsWith(match[1] ?? ' ')) return null;
  const ms = Date.parse(`${match[1]}T${match[2]}${match[4]}`);
  if (Number.isNaN(ms)) return null;
  const seconds = ms / 1000;
  if (seconds < minTimestampSeconds || seconds > maxTimestampSeconds) return null;
  return sparse(seconds, Number((match[3] ?? '').padEnd(9, '0')));
}

/** Seconds and nanos -> RFC 3339 in UTC, with 0, 3, 6 or 9 digits. */
export function formatTimestamp(seconds: number, nanos: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${formatNanos(nanos)}Z`;
}

function formatNanos(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  if (digits.endsWith('000000')) return `.${digits.slice(0, 3)}`;
  return digits.endsWith('000') ? `.${digits.slice(0, 6)}` : `.${digits}`;
}

/** Zeros are left out, as everywhere in memory; adding 0 turns minus zero into zero. */
function sparse(seconds: number, nanos: number): SecondsAndNanos {
  const value: SecondsAndNanos = {};
  if (seconds !== 0) value.seconds = seconds + 0;
  if (nanos !== 0) value.nanos = nanos + 0;
  return value;
}
