// Output formats: JSON and tables. YAML is in a file of its own, as its library takes a while to load.
import { formatTable } from '@weft/local/screen/table';

export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** A table with a heading, or nothing at all without rows. */
export function toTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  return formatTable([heading, ...rows]).join('\n');
}

/** `5s`, `12m`, `3h`, `4d`: one unit, as kubectl shows ages. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
