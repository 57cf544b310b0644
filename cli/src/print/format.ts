// Output formats: JSON, YAML in Kubernetes' layout, and tables.
import { formatTable } from '@weft/local/screen/table';
import { stringify } from 'yaml';

/** YAML without line folding or anchors, so that it can be read back by anything. */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

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
