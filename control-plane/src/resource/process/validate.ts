// Semantic checks of one Process.

import type { Process, ProcessReadiness } from '@weft/api/resource/process';
import type { Findings } from '../findings.ts';
import { meaningCodes } from '../issue-code.ts';

/** Ports are distinct, and the readiness check asks one thing at a port that exists. */
export function validateProcess(resource: Process, findings: Findings): void {
  const { ports = [], readiness, command, replicas = 1 } = resource.spec;
  if (command[0] === '') findings.add(meaningCodes.emptyRule, 'spec.command[0]', 'The program has no name.');
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    const earlier = ports.slice(0, index);
    if (earlier.some((each) => each.name === port.name))
      findings.add(meaningCodes.duplicateName, `${path}.name`, `The port name ${port.name} is used twice.`);
    if (earlier.some((each) => each.port === port.port))
      findings.add(meaningCodes.duplicateName, `${path}.port`, `The port ${port.port} is listed twice.`);
    if (port.targetPort !== undefined && earlier.some((each) => each.targetPort === port.targetPort)) {
      findings.add(
        meaningCodes.duplicateName,
        `${path}.targetPort`,
        `The process cannot listen on ${port.targetPort} twice.`,
      );
    }
    if (port.targetPort !== undefined && replicas > 1) {
      const message = `${replicas} replicas cannot all listen on ${port.targetPort} of one machine; leave targetPort out, and each gets a free one in $PORT.`;
      findings.add(meaningCodes.conflictingFields, `${path}.targetPort`, message);
    }
  }
  if (readiness !== undefined)
    validateReadiness(
      findings,
      readiness,
      ports.map((port) => port.port),
    );
}

function validateReadiness(findings: Findings, readiness: ProcessReadiness, ports: readonly number[]): void {
  const checks = (['httpGet', 'tcpSocket'] as const).filter((name) => readiness[name] !== undefined);
  if (checks.length !== 1) {
    const message =
      checks.length === 0
        ? 'Nothing is asked; set httpGet or tcpSocket.'
        : 'Only one of httpGet and tcpSocket can be set.';
    findings.add(meaningCodes.invalidReadiness, 'spec.readiness', message);
  }
  for (const name of checks) {
    const port = readiness[name]?.port;
    if (port === undefined && ports.length === 0) {
      findings.add(
        meaningCodes.invalidReadiness,
        `spec.readiness.${name}`,
        'The process has no ports to ask; declare one in spec.ports.',
      );
    }
    if (port === undefined || ports.includes(port)) continue;
    const message = `${port} is none of the ports of this process${ports.length === 0 ? '' : ` (${ports.join(', ')})`}; name the port of the service.`;
    findings.add(meaningCodes.invalidReadiness, `spec.readiness.${name}.port`, message);
  }
}
