// AuthorizationPolicies of a workload as RBAC filters: DENY before ALLOW, one filter for each.

import type { envoy } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import type { AuthorizationItem, WorkloadAuthorization } from '../../model/authorization.ts';
import type { HttpFilter, NetworkFilter } from '../filters.ts';
import { type RuleContext, rulePolicy } from './rbac-rule.ts';

type RBAC = envoy.config.rbac.v3.RBAC;
type Policy = envoy.config.rbac.v3.Policy;

/** The policies in front of one port, and what that port is called. */
export interface PortAuthorization {
  readonly policies: WorkloadAuthorization;
  readonly settings: RuleContext['settings'];
  /** Every number by which policies may mean this port; null when the connection tells it. */
  readonly ports: readonly number[] | null;
}

/** HTTP filters, none when no policy concerns the workload. */
export function httpRbacFilters(authorization: PortAuthorization): HttpFilter[] {
  return rulesOf(authorization, false)
    .map((rules) => ({
      name: 'envoy.filters.http.rbac',
      typedConfig: packAny('envoy.extensions.filters.http.rbac.v3.RBAC', { rules }),
    }))
    .map(nameApart);
}

/** Network filters for a TCP port. */
export function networkRbacFilters(authorization: PortAuthorization, statPrefix: string): NetworkFilter[] {
  return rulesOf(authorization, true).map((rules) => ({
    name: 'envoy.filters.network.rbac',
    typedConfig: packAny('envoy.extensions.filters.network.rbac.v3.RBAC', { rules, statPrefix }),
  }));
}

/** Filters of a chain have names of their own, so that per-route configuration can tell them apart. */
function nameApart(filter: HttpFilter, index: number): HttpFilter {
  return index === 0 ? filter : { ...filter, name: `${filter.name}.${index + 1}` };
}

function rulesOf(authorization: PortAuthorization, isTcp: boolean): RBAC[] {
  const { deny, allow } = authorization.policies;
  const denied = policiesOf(deny, authorization, isTcp, 'DENY');
  const rules: RBAC[] = [];
  if (Object.keys(denied).length > 0) rules.push({ action: 'DENY', policies: denied });
  // An ALLOW filter without any policy lets nothing through, which is what an ALLOW policy without rules means.
  if (allow.length > 0) rules.push({ action: 'ALLOW', policies: policiesOf(allow, authorization, isTcp, 'ALLOW') });
  return rules;
}

function policiesOf(
  items: readonly AuthorizationItem[],
  authorization: PortAuthorization,
  isTcp: boolean,
  action: RuleContext['action'],
): Record<string, Policy> {
  const policies: Record<string, Policy> = {};
  for (const item of items) {
    for (const [index, rule] of (item.spec.rules ?? []).entries()) {
      const { settings, ports } = authorization;
      const policy = rulePolicy(rule, { settings, ports, isTcp, action, namespace: item.namespace });
      if (policy !== null) policies[policyName(item, index)] = policy;
    }
  }
  return policies;
}

/** Istio's names, so that what reads its logs reads ours. */
export function policyName(item: AuthorizationItem, index: number): string {
  return `ns[${item.namespace}]-policy[${item.name}]-rule[${index}]`;
}
