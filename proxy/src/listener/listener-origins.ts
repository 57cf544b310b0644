// Reads from a listener's metadata which resources stand behind it, so that a refusal can be explained.

import type { envoy } from '@weft/api/xds/types';
import type { Origin } from '@weft/lib/issue';
import { objectOf, readOrigin, weftMetadata } from '../cluster/origin.ts';
import type { ListenerOrigins } from '../io/connection-info.ts';

/** Empty where another control plane, or a file, says nothing of it. */
export function listenerOrigins(metadata: envoy.config.core.v3.Metadata | undefined): ListenerOrigins {
  const said = weftMetadata(metadata);
  const policies: Map<string, Origin> = new Map();
  for (const [name, json] of Object.entries(objectOf(said?.policies) ?? {})) {
    const origin = readOrigin(json);
    if (origin !== null) policies.set(name, origin);
  }
  const allow = said?.allowPolicies;
  const allowPolicies = Array.isArray(allow) ? allow.map(readOrigin).filter((origin) => origin !== null) : [];
  return { listener: readOrigin(said?.origin), policies, allowPolicies };
}
