// Compiles `envoy.extensions.filters.network.rbac.v3.RBAC`. Everything it looks at is known when the connection is, so
// ONE_TIME_ON_FIRST_BYTE and CONTINUOUS come to the same: one look, before the first byte.

import type { google } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import type { ScopeSource } from '@weft/lib/metrics';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { refuseFields, reportError, sinkAt } from '../../security/data-source.ts';
import { compileRbac, RbacCounters, RbacEnforcer } from '../../security/rbac.ts';
import { NetworkRbacFilter, type RefusalReport } from './filter.ts';

type Any = google.protobuf.Any;

/** What it needs of the chain's context. */
interface Context extends RefusalReport {
  readonly metrics: ScopeSource;
}

/** Null after reporting errors. Throws `ProtobufError` for bytes that are no such message. */
export function compileNetworkRbac(
  config: Any,
  context: Context,
  place: { readonly issues: Issue[]; readonly path: string },
): NetworkRbacFilter | null {
  const message = unpackAny(config, 'envoy.extensions.filters.network.rbac.v3.RBAC');
  const before = place.issues.length;
  refuseFields(message, { matcher: 'matcher', shadowMatcher: 'shadow_matcher' }, place);
  const prefix = message.statPrefix ?? '';
  if (prefix === '') reportError(sinkAt(place, 'stat_prefix'), 'WEFT0735', 'stat_prefix is missing; name the filter');
  const rules = message.rules === undefined ? null : compileRbac(message.rules, false, sinkAt(place, 'rules'));
  const { shadowRules } = message;
  const shadow = shadowRules === undefined ? null : compileRbac(shadowRules, false, sinkAt(place, 'shadow_rules'));
  if (place.issues.slice(before).some((issue) => issue.level === 'error')) return null;
  const names = { rulesPrefix: '', shadowPrefix: message.shadowRulesStatPrefix ?? '', perPolicy: false };
  const counters = new RbacCounters(context.metrics.scope({ prefix }), names);
  return new NetworkRbacFilter(new RbacEnforcer(rules, shadow, counters), context);
}
