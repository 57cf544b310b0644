// Compiles `envoy.extensions.filters.http.rbac.v3.RBAC` and its per-route form.

import type { envoy, google } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import type { Scope } from '@weft/lib/metrics';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { type IssueSink, refuseFields, sinkAt } from '../../security/data-source.ts';
import { compileRbac, RbacCounters, RbacEnforcer } from '../../security/rbac.ts';
import { HttpRbacFilter } from './filter.ts';

type Any = google.protobuf.Any;
type Config = envoy.extensions.filters.http.rbac.v3.RBAC;

/** What compiling needs of the chain's context. */
interface Context {
  readonly scope: Scope;
  readonly issues: Issue[];
  readonly path: string;
}

/** Null after reporting errors. Throws `ProtobufError` for bytes that are no such message. */
export function compileHttpRbac(config: Any, name: string, context: Context): HttpRbacFilter | null {
  const message = unpackAny(config, 'envoy.extensions.filters.http.rbac.v3.RBAC');
  const enforcer = compileEnforcer(message, context.scope, { issues: context.issues, path: context.path });
  return enforcer === null ? null : new HttpRbacFilter(name, enforcer);
}

/** The rules that replace the filter's on a route; without any, the route is exempt. */
export function compileHttpRbacOverride(config: Any, context: Context): RbacEnforcer | null {
  const message = unpackAny(config, 'envoy.extensions.filters.http.rbac.v3.RBACPerRoute');
  return compileEnforcer(message.rbac ?? {}, context.scope, { issues: context.issues, path: `${context.path}.rbac` });
}

function compileEnforcer(config: Config, scope: Scope, sink: IssueSink): RbacEnforcer | null {
  const before = sink.issues.length;
  refuseFields(config, { matcher: 'matcher', shadowMatcher: 'shadow_matcher' }, sink);
  const rules = config.rules === undefined ? null : compileRbac(config.rules, true, sinkAt(sink, 'rules'));
  const shadow =
    config.shadowRules === undefined ? null : compileRbac(config.shadowRules, true, sinkAt(sink, 'shadow_rules'));
  if (sink.issues.slice(before).some((issue) => issue.level === 'error')) return null;
  const names = {
    rulesPrefix: config.rulesStatPrefix ?? '',
    shadowPrefix: config.shadowRulesStatPrefix ?? '',
    perPolicy: config.trackPerRuleStats === true,
  };
  return new RbacEnforcer(rules, shadow, new RbacCounters(scope, names));
}
