// The traffic policy in force for one port of one subset: port-level settings replace the subset's, which replace the host's, block by block.

import type { PortTrafficPolicy, TrafficPolicy } from '@weft/api/resource/traffic-policy';
import type { EffectiveRule } from '../../model/destination-rule.ts';

export type PolicyBlocks = Pick<
  TrafficPolicy,
  'loadBalancer' | 'connectionPool' | 'outlierDetection' | 'tls' | 'retryBudget' | 'proxyProtocol'
>;

export function effectivePolicy(rule: EffectiveRule | null, subset: string, port: number): PolicyBlocks {
  if (rule === null) return {};
  const ofHost = atPort(rule.trafficPolicy, port);
  const item = subset === '' ? undefined : rule.subsets.find((candidate) => candidate.subset.name === subset);
  const policy = item?.subset.trafficPolicy;
  const isReplaced = entryOf(policy, port) !== undefined;
  return { ...(isReplaced ? withoutPort(ofHost) : ofHost), ...atPort(policy, port) };
}

function entryOf(policy: TrafficPolicy | undefined, port: number): PortTrafficPolicy | undefined {
  return policy?.portLevelSettings?.find((candidate) => candidate.port?.number === port);
}

/** A port-level entry stands for all blocks of its level and of those above, as Istio has it: what it leaves out falls back to the default. */
function atPort(policy: TrafficPolicy | undefined, port: number): PolicyBlocks {
  if (policy === undefined) return {};
  const entry = entryOf(policy, port);
  return entry === undefined ? blocksOf(policy) : { ...withoutPort(blocksOf(policy)), ...blocksOf(entry) };
}

/** The blocks that no port-level entry can say anything of, so that none replaces them. */
function withoutPort({ proxyProtocol, retryBudget }: PolicyBlocks): PolicyBlocks {
  return {
    ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
    ...(retryBudget === undefined ? {} : { retryBudget }),
  };
}

function blocksOf(policy: TrafficPolicy | PortTrafficPolicy): PolicyBlocks {
  const { loadBalancer, connectionPool, outlierDetection, tls } = policy;
  const retryBudget = 'retryBudget' in policy ? policy.retryBudget : undefined;
  const proxyProtocol = 'proxyProtocol' in policy ? policy.proxyProtocol : undefined;
  const blocks = { loadBalancer, connectionPool, outlierDetection, tls, retryBudget, proxyProtocol };
  return Object.fromEntries(Object.entries(blocks).filter(([, block]) => block !== undefined));
}
