// Header values with operators (`%DOWNSTREAM_REMOTE_ADDRESS%`), compiled once per text: route tables name few of them.

import type { Issue } from '@weft/lib/issue';
import { compileFormat, type Formatter } from '../../telemetry/format.ts';
import type { StreamView } from '../../stream/stream.ts';

/** Texts come from configuration only, so their number is bounded by it; past this the oldest half is forgotten. */
const keptMax = 4096;
const compiled: Map<string, Formatter> = new Map();

function formatterOf(text: string): Formatter {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const issues: Issue[] = [];
  const made = compileFormat(text, issues, '');
  if (compiled.size >= keptMax) for (const key of [...compiled.keys()].slice(0, keptMax / 2)) compiled.delete(key);
  compiled.set(text, made);
  return made;
}

/** Gives a value's operators their values for that stream. */
function formatHeader(text: string, stream: StreamView): string {
  return text.includes('%') ? formatterOf(text)(stream) : text;
}

/** The same, bound to one stream. */
export function formatter(stream: StreamView): (text: string) => string {
  return (text) => formatHeader(text, stream);
}
