// Which resources made an exchange end as it did: for `weft explain` and the access log.

import type { Origin } from '@weft/lib/issue';
import { fault } from '../fault/fault.ts';
import type { LoggedView } from './view.ts';

const matchedPolicy = /^rbac_access_denied_matched_policy\[(.*)\]$/;
const istioPolicyName = /^ns\[([^\]]+)\]-policy\[([^\]]+)\]-rule\[(\d+)\]$/;
const nobody: readonly Origin[] = [];

/** Policies that refused an exchange. */
export interface Refusal {
  /** The rule that refused, `spec.rules[1]`; empty where no rule of them all let the exchange in. */
  readonly rule: string;
  readonly policies: readonly Origin[];
}

/** Who refused access; null when nobody did, or it cannot be told. */
export function refusalOf(view: LoggedView): Refusal | null {
  if (view.fault !== fault.access_denied) return null;
  const name = matchedPolicy.exec(view.details)?.[1];
  if (name === undefined) return null;
  const origins = view.connection.listener?.origins;
  if (name === 'none') return { rule: '', policies: origins?.allowPolicies ?? nobody };
  const [, namespace = '', policy = '', index] = istioPolicyName.exec(name) ?? [];
  const named = index === undefined ? null : { kind: 'AuthorizationPolicy', namespace, name: policy };
  const origin = origins?.policies.get(name) ?? named;
  return origin === null ? null : { rule: index === undefined ? '' : `spec.rules[${index}]`, policies: [origin] };
}

/** The resource most to the point: the policy that refused, else that of the route, the cluster, the listener. */
export function responsibleFor(view: LoggedView): Origin | null {
  const refusing = refusalOf(view)?.policies[0];
  return refusing ?? view.route?.origin ?? view.cluster?.origin ?? view.connection.listener?.origins.listener ?? null;
}
