// Metadata `weft.dev` on what is translated: which resource, file and line it comes from.

import type { envoy } from '@weft/api/xds/types';
import type { Origin } from '@weft/lib/issue';

/** Key in `metadata.filter_metadata`. */
export const weftMetadataKey = 'weft.dev';

type JsonOrigin = { [Key in keyof Origin]: Exclude<Origin[Key], undefined> };

/** An origin without its unset fields, as Struct fields want it. */
export function jsonOrigin(origin: Origin): JsonOrigin {
  return {
    kind: origin.kind,
    namespace: origin.namespace,
    name: origin.name,
    ...(origin.generation === undefined ? {} : { generation: origin.generation }),
    ...(origin.file === undefined ? {} : { file: origin.file }),
    ...(origin.line === undefined ? {} : { line: origin.line }),
  };
}

/** Metadata that names the origin. */
export function originMetadata(origin: Origin): envoy.config.core.v3.Metadata {
  return { filterMetadata: { [weftMetadataKey]: { origin: { ...jsonOrigin(origin) } } } };
}
