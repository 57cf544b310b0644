// What a consistent-hash balancer hashes, from the DestinationRules of a route's destinations.

import type { ConsistentHash } from '@weft/api/resource/load-balancer';
import type { envoy } from '@weft/api/xds/types';
import { durationOf } from '../message.ts';
import type { MissingTarget, Reach, Target } from '../reach.ts';
import { effectivePolicy } from './traffic-policy.ts';

type HashPolicy = envoy.config.route.v3.RouteAction.HashPolicy;

/** One policy per destination that hashes, without repetition. */
export function hashPolicies(targets: readonly (Target | MissingTarget)[], reach: Reach): HashPolicy[] {
  const policies = new Map<string, HashPolicy>();
  for (const target of targets) {
    if ('missing' in target) continue;
    const hash = effectivePolicy(reach.ruleOf(target.service), target.subset, target.port.number).loadBalancer
      ?.consistentHash;
    const policy = hash === undefined ? null : hashPolicy(hash);
    if (policy !== null) policies.set(JSON.stringify(policy), policy);
  }
  return [...policies.values()];
}

function hashPolicy(hash: ConsistentHash): HashPolicy | null {
  if (hash.httpHeaderName !== undefined) return { header: { headerName: hash.httpHeaderName } };
  if (hash.httpQueryParameterName !== undefined) return { queryParameter: { name: hash.httpQueryParameterName } };
  if (hash.useSourceIp === true) return { connectionProperties: { sourceIp: true } };
  if (hash.httpCookie === undefined) return null;
  const { name, path, ttl } = hash.httpCookie;
  const lifetime = durationOf(ttl);
  return {
    cookie: { name, ...(path === undefined ? {} : { path }), ...(lifetime === undefined ? {} : { ttl: lifetime }) },
  };
}
