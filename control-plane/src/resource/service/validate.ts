// Semantic checks of one Service.

import type { Service, ServicePort } from '@weft/api/resource/service';
import type { Findings } from '../findings.ts';
import { isDnsName } from '../host.ts';
import { meaningCodes } from '../issue-code.ts';

/** Port names, duplicates, and what an ExternalName needs. */
export function validateService(resource: Service, findings: Findings): void {
  const { spec, metadata } = resource;
  const ports = spec.ports ?? [];
  if (!/^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(metadata.name)) {
    findings.add(
      meaningCodes.invalidName,
      'metadata.name',
      `"${metadata.name}" cannot name a Service; use at most 63 letters, digits and -, beginning with a letter.`,
    );
  }
  if (spec.type === 'ExternalName') {
    if (spec.externalName === undefined)
      findings.add(meaningCodes.emptyRule, 'spec', 'A Service of type ExternalName needs externalName.');
    else if (!isDnsName(spec.externalName))
      findings.add(meaningCodes.invalidHost, 'spec.externalName', `"${spec.externalName}" is no host name.`);
  } else if (ports.length === 0 && spec.clusterIP !== 'None') {
    findings.add(meaningCodes.emptyRule, 'spec.ports', 'A Service needs at least one port.');
  }
  validatePorts(findings, ports);
}

function validatePorts(findings: Findings, ports: readonly ServicePort[]): void {
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    if (port.name === undefined && ports.length > 1)
      findings.add(meaningCodes.unnamedPort, path, 'With several ports each one needs a name.');
    if (port.name !== undefined && names.has(port.name)) {
      findings.add(meaningCodes.duplicateName, `${path}.name`, `The port name ${port.name} is used twice.`);
    }
    const number = `${port.port} ${port.protocol ?? 'TCP'}`;
    if (numbers.has(number)) {
      findings.add(meaningCodes.duplicateName, `${path}.port`, `The port ${port.port} is listed twice.`);
    }
    if (port.name !== undefined) names.add(port.name);
    numbers.add(number);
    if (typeof port.targetPort === 'string' && !/^[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?$/.test(port.targetPort)) {
      findings.add(
        meaningCodes.invalidName,
        `${path}.targetPort`,
        `"${port.targetPort}" is neither a port number nor a port name.`,
      );
    }
  }
}
