// Durations on the command line: `30s`, `500ms`, `2m`, or a bare number of seconds.
import { InvalidArgumentError } from 'commander';

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration, for commander's option parsing. */
function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Give a duration such as 30s, 500ms or 2m.');
  return Number(match[1]) * (unitsMs[match[2] ?? 's'] ?? 1000);
}

/** The mesh API waits no longer than this for proxies. */
const maxWaitMs = 600_000;

/** As `parseDuration`, up to ten minutes. */
export function parseWait(text: string): number {
  const ms = parseDuration(text);
  if (ms <= maxWaitMs) return ms;
  throw new InvalidArgumentError('Give at most 10m.');
}

/** A port number, for commander's option parsing. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new InvalidArgumentError('Give a port number from 0 to 65535.');
  return port;
}
