// Semantic checks of a workload's address, ports and locality: a WorkloadEntry, or an endpoint of a ServiceEntry.

import { isIP } from 'node:net';
import type { WorkloadEntry } from '@weft/api/resource/workload-entry';
import { joinPath } from '../field-path.ts';
import type { Findings } from '../findings.ts';
import { isDnsName } from '../host.ts';
import { meaningCodes } from '../issue-code.ts';

type Spec = WorkloadEntry['spec'];

/** Everything that can be said about a WorkloadEntry seen alone. */
export function validateWorkloadEntry(resource: WorkloadEntry, findings: Findings): void {
  // It is an endpoint of services that select it, and those are not looked up.
  validateWorkload(findings, 'spec', resource.spec, false);
}

/** `mayBeName`: whether a host name is taken for an address. */
export function validateWorkload(findings: Findings, path: string, spec: Spec, mayBeName: boolean): void {
  validateAddress(findings, path, spec, mayBeName);
  for (const name of Object.keys(spec.ports ?? {})) {
    if (/^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/.test(name)) continue;
    findings.add(meaningCodes.invalidName, joinPath(`${path}.ports`, name), `"${name}" is no port name.`);
  }
  const { locality } = spec;
  if (locality === undefined || locality === '') return;
  const parts = locality.split('/');
  if (parts.length <= 3 && parts.every((part) => part !== '')) return;
  findings.add(
    meaningCodes.invalidLocality,
    `${path}.locality`,
    `"${locality}" is no locality; write region, region/zone or region/zone/subzone.`,
  );
}

function validateAddress(findings: Findings, path: string, spec: Spec, mayBeName: boolean): void {
  const { address } = spec;
  if (address === undefined) {
    if (spec.network === undefined) findings.add(meaningCodes.invalidAddress, path, 'The workload has no address.');
    return;
  }
  if (address.startsWith('unix://')) {
    if (!/^unix:\/\/(?:\/|@).*[^/]$/.test(address)) {
      findings.add(
        meaningCodes.invalidAddress,
        `${path}.address`,
        `"${address}" is no socket path; write unix:///absolute/path.`,
      );
    }
    if (spec.ports !== undefined)
      findings.add(meaningCodes.conflictingFields, `${path}.ports`, 'A Unix socket has no ports.');
    return;
  }
  if (isIP(address) !== 0 || (mayBeName && isDnsName(address))) return;
  const wanted = mayBeName
    ? 'an IP address or a host name'
    : 'an IP address; for names use a ServiceEntry with resolution DNS';
  findings.add(meaningCodes.invalidAddress, `${path}.address`, `"${address}" is not ${wanted}.`);
}
