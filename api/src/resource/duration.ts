// Durations as resources write them: `1.5s`, `100ms`, `1h30m`; parsed once so that every consumer agrees on the value.

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

const wholePattern = /^(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|h|m|s))+$/;
const partPattern = /(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)/g;

/** Longest duration that is accepted: what a protobuf duration can hold, about 10,000 years. */
const maxMs = 315_576_000_000_000;

/** Milliseconds (may be fractional) of a duration, or null when the text is none. `0` alone is accepted, as Go does. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0;
  if (text.length > 64 || !wholePattern.test(text)) return null;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(partPattern)) total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  return total <= maxMs ? total : null;
}
