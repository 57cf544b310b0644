// Destinations of a rule and their weights, for HTTP, TLS and TCP alike.

import { isIP } from 'node:net';
import type { RouteDestination } from '@weft/api/resource/virtual-service';
import type { Findings } from '../findings.ts';
import { isDnsName } from '../host.ts';
import { formCodes, meaningCodes } from '../issue-code.ts';

/** Hosts are names, and the weights share out the traffic. */
export function validateDestinations(
  findings: Findings,
  path: string,
  destinations: readonly RouteDestination[],
): void {
  for (const [index, { destination }] of destinations.entries()) {
    const { host } = destination;
    const name = host.startsWith('*.') ? host.slice(2) : host;
    if (isDnsName(name) && isIP(host) === 0) continue;
    findings.add(
      meaningCodes.invalidHost,
      `${path}[${index}].destination.host`,
      `"${host}" is no host name of a service.`,
    );
  }
  validateWeights(findings, path, destinations);
}

/** Envoy counts in 32 bits. */
const maxWeight = 4_294_967_295;

function validateWeights(findings: Findings, path: string, destinations: readonly RouteDestination[]): void {
  if (destinations.length < 2) return;
  const sum = destinations.reduce((total, each) => total + (each.weight ?? 0), 0);
  if (sum === 0) {
    const message = `None of the ${destinations.length} destinations has a weight, so no request could be sent; give each its share.`;
    findings.add(meaningCodes.zeroWeights, path, message);
    return;
  }
  for (const [index, each] of destinations.entries()) {
    if (each.weight !== undefined) continue;
    findings.add(
      meaningCodes.weightSum,
      `${path}[${index}]`,
      'This destination has no weight beside others that have one, so it gets no request.',
    );
  }
  if (sum > maxWeight) {
    findings.add(formCodes.invalidValue, path, `The weights sum to ${sum}; at most ${maxWeight} can be shared out.`);
    return;
  }
  if (sum !== 100)
    findings.add(meaningCodes.weightSum, path, `The weights sum to ${sum}, not 100; each gets its share of ${sum}.`);
}
