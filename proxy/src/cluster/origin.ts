// Where a route or cluster came from, as the control plane wrote it into the metadata.

import type { envoy, JsonObject, JsonValue } from '@weft/api/xds/types';
import type { Issue, Origin } from '@weft/lib/issue';

/** The `origin` under `weft.dev`, or null when there is none. */
export function originOf(metadata: envoy.config.core.v3.Metadata | undefined): Origin | null {
  return readOrigin(weftMetadata(metadata)?.origin);
}

/** What Weft's control plane says of a resource in its metadata. */
export function weftMetadata(metadata: envoy.config.core.v3.Metadata | undefined): JsonObject | null {
  return objectOf(metadata?.filterMetadata?.['weft.dev']);
}

/** One origin as JSON, or null when it is none. */
export function readOrigin(json: JsonValue | undefined): Origin | null {
  const origin = objectOf(json);
  if (origin === null) return null;
  const { kind, namespace, name, generation, file, line } = origin;
  if (typeof kind !== 'string' || typeof name !== 'string') return null;
  return {
    kind,
    namespace: typeof namespace === 'string' ? namespace : '',
    name,
    ...(typeof generation === 'number' ? { generation } : {}),
    ...(typeof file === 'string' ? { file } : {}),
    ...(typeof line === 'number' ? { line } : {}),
  };
}

/** Says of the issues from that index on where their resource came from. */
export function tagIssues(issues: Issue[], from: number, origin: Origin | null): void {
  if (origin === null) return;
  for (let i = from; i < issues.length; i++) issues[i] = { origin, ...(issues[i] as Issue) };
}

/** The value as an object, or null. */
export function objectOf(value: JsonValue | undefined): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}
