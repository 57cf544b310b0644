// Metadata of a listener that enforces AuthorizationPolicies: where it and they come from. RBAC itself has no room for that.

import type { envoy } from '@weft/api/xds/types';
import type { Origin } from '@weft/lib/issue';
import type { WorkloadAuthorization } from '../../model/authorization.ts';
import { originOf } from '../../model/sourced.ts';
import { jsonOrigin, weftMetadataKey } from '../origin-metadata.ts';
import { policyName } from './rbac-filters.ts';

type Metadata = envoy.config.core.v3.Metadata;
type JsonOrigin = ReturnType<typeof jsonOrigin>;

/** Read by Weft's proxy when it explains a refusal. `origin` is the resource that the listener stands for, when there is one. */
export function policyMetadata(
  origin: Origin | null,
  policies: WorkloadAuthorization,
): { readonly metadata?: Metadata } {
  const rules = ruleOrigins(policies);
  const allow = policies.allow.map((item) => jsonOrigin(item.origin));
  const said = {
    ...(origin === null ? {} : { origin: jsonOrigin(origin) }),
    ...(Object.keys(rules).length === 0 ? {} : { policies: rules }),
    ...(allow.length === 0 ? {} : { allowPolicies: allow }),
  };
  return Object.keys(said).length === 0 ? {} : { metadata: { filterMetadata: { [weftMetadataKey]: said } } };
}

/** Each rule by the name of its RBAC policy, with its own line. */
function ruleOrigins({ deny, allow }: WorkloadAuthorization): Record<string, JsonOrigin> {
  const origins: Record<string, JsonOrigin> = {};
  for (const item of [...deny, ...allow]) {
    for (const index of (item.spec.rules ?? []).keys()) {
      origins[policyName(item, index)] = jsonOrigin(originOf(item, `spec.rules[${index}]`));
    }
  }
  return origins;
}
