// Semantic checks of one ServiceEntry.

import { isIP } from 'node:net';
import type { ServiceEntry } from '@weft/api/resource/service-entry';
import { isAddressOrRange } from '../address.ts';
import type { Findings } from '../findings.ts';
import { isDnsName, isHostPattern } from '../host.ts';
import { meaningCodes } from '../issue-code.ts';
import { didYouMean } from '../near-name.ts';
import { validateWorkload } from '../workload-entry/validate.ts';

type Spec = ServiceEntry['spec'];

const protocols = [
  'HTTP',
  'HTTPS',
  'GRPC',
  'GRPC-WEB',
  'HTTP2',
  'MONGO',
  'TCP',
  'TLS',
  'UDP',
  'REDIS',
  'MYSQL',
  'HTTP_PROXY',
];

/** Everything that can be said about a ServiceEntry seen alone. */
export function validateServiceEntry(resource: ServiceEntry, findings: Findings): void {
  const { spec } = resource;
  validateHosts(findings, spec);
  validatePorts(findings, spec);
  validateAddresses(findings, spec);
  validateEndpoints(findings, spec);
}

function validateHosts(findings: Findings, spec: Spec): void {
  for (const [index, host] of spec.hosts.entries()) {
    const path = `spec.hosts[${index}]`;
    if (host === '*')
      findings.add(meaningCodes.invalidHost, path, 'The host * would take every call; name hosts or *.suffix.');
    else if (!isHostPattern(host) || isIP(host) !== 0)
      findings.add(meaningCodes.invalidHost, path, `"${host}" is no host name.`);
    if (spec.hosts.indexOf(host) !== index)
      findings.add(meaningCodes.duplicateName, path, `The host ${host} is listed twice.`);
  }
}

function validatePorts(findings: Findings, spec: Spec): void {
  const ports = spec.ports ?? [];
  if (ports.length === 0)
    findings.add(meaningCodes.emptyRule, 'spec.ports', 'There are no ports, so the hosts cannot be called.');
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    const earlier = ports.slice(0, index);
    if (earlier.some((each) => each.number === port.number))
      findings.add(meaningCodes.duplicateName, `${path}.number`, `The port ${port.number} is listed twice.`);
    if (earlier.some((each) => each.name === port.name))
      findings.add(meaningCodes.duplicateName, `${path}.name`, `The port name ${port.name} is used twice.`);
    const { protocol } = port;
    if (protocol === undefined || protocols.includes(protocol.toUpperCase())) continue;
    findings.add(
      meaningCodes.unknownProtocol,
      `${path}.protocol`,
      `There is no protocol ${protocol}.${didYouMean(protocol, protocols)}`,
    );
  }
}

function validateAddresses(findings: Findings, spec: Spec): void {
  const addresses = spec.addresses ?? [];
  for (const [index, address] of addresses.entries()) {
    const path = `spec.addresses[${index}]`;
    if (!isAddressOrRange(address))
      findings.add(meaningCodes.invalidAddress, path, `"${address}" is no address or range.`);
    else if (address.includes('/') && (spec.resolution ?? 'NONE') !== 'NONE') {
      findings.add(meaningCodes.conflictingFields, path, 'A range of addresses needs resolution NONE.');
    }
  }
  const isTcp = (spec.ports ?? []).some((port) =>
    ['TCP', 'MONGO', 'REDIS', 'MYSQL'].includes((port.protocol ?? 'TCP').toUpperCase()),
  );
  if (addresses.length > 0 || !isTcp || spec.resolution === 'STATIC' || spec.location === 'MESH_INTERNAL') return;
  findings.add(
    meaningCodes.missingAddresses,
    'spec',
    'A TCP service without addresses is found by its host name only where clients use the proxy by name.',
  );
}

function validateEndpoints(findings: Findings, spec: Spec): void {
  const endpoints = spec.endpoints ?? [];
  const resolution = spec.resolution ?? 'NONE';
  if (endpoints.length > 0 && spec.workloadSelector !== undefined) {
    findings.add(
      meaningCodes.conflictingFields,
      'spec.endpoints',
      'Only one of endpoints and workloadSelector can be set.',
    );
  }
  if (endpoints.length > 0 && resolution === 'NONE') {
    findings.add(
      meaningCodes.conflictingFields,
      'spec.resolution',
      'With resolution NONE calls go where the client says, so endpoints mean nothing; use STATIC or DNS.',
    );
  }
  if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) {
    findings.add(meaningCodes.conflictingFields, 'spec.endpoints', 'DNS_ROUND_ROBIN takes one endpoint at most.');
  }
  const isDns = resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN';
  if (isDns && spec.workloadSelector !== undefined) {
    findings.add(
      meaningCodes.conflictingFields,
      'spec.workloadSelector',
      `With resolution ${resolution} the hosts are looked up, so the workloads that are selected would get no call; use STATIC.`,
    );
  }
  for (const [index, endpoint] of endpoints.entries())
    validateWorkload(findings, `spec.endpoints[${index}]`, endpoint, isDns);
  const needsNames = isDns && endpoints.length === 0 && spec.workloadSelector === undefined;
  if (!needsNames) return;
  for (const [index, host] of spec.hosts.entries()) {
    if (isDnsName(host)) continue;
    findings.add(
      meaningCodes.invalidHost,
      `spec.hosts[${index}]`,
      `${host} cannot be looked up; give endpoints, or resolution NONE.`,
    );
  }
}
