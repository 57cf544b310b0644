// Semantic checks of one DestinationRule.

import { isIP } from 'node:net';
import type { DestinationRule } from '@weft/api/resource/destination-rule';
import type { Findings } from '../findings.ts';
import { isHostPattern } from '../host.ts';
import { meaningCodes } from '../issue-code.ts';
import { validateTrafficPolicy } from './traffic-policy.ts';

/** Everything that can be said about a DestinationRule seen alone. */
export function validateDestinationRule(resource: DestinationRule, findings: Findings): void {
  const { host, trafficPolicy, subsets = [] } = resource.spec;
  if (!isHostPattern(host) && isIP(host) === 0)
    findings.add(meaningCodes.invalidHost, 'spec.host', `"${host}" is no host name.`);
  if (trafficPolicy !== undefined) validateTrafficPolicy(findings, 'spec.trafficPolicy', trafficPolicy);
  const names = new Set<string>();
  for (const [index, subset] of subsets.entries()) {
    const path = `spec.subsets[${index}]`;
    if (!/^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(subset.name)) {
      findings.add(
        meaningCodes.invalidName,
        `${path}.name`,
        `"${subset.name}" is no subset name; use at most 63 letters, digits, - and .`,
      );
    }
    if (names.has(subset.name))
      findings.add(meaningCodes.duplicateName, `${path}.name`, `The subset ${subset.name} is declared twice.`);
    names.add(subset.name);
    if (subset.trafficPolicy !== undefined)
      validateTrafficPolicy(findings, `${path}.trafficPolicy`, subset.trafficPolicy);
  }
}
