// Semantic checks of one PeerAuthentication.

import type { PeerAuthentication } from '@weft/api/resource/peer-authentication';
import { joinPath } from '../field-path.ts';
import type { Findings } from '../findings.ts';
import { meaningCodes } from '../issue-code.ts';

/** Ports are numbers, and stand beside a selector. */
export function validatePeerAuthentication(resource: PeerAuthentication, findings: Findings): void {
  const { portLevelMtls, selector } = resource.spec ?? {};
  if (portLevelMtls === undefined) return;
  if (Object.keys(selector?.matchLabels ?? {}).length === 0) {
    findings.add(
      meaningCodes.invalidSelector,
      'spec.portLevelMtls',
      'Ports are those of workloads, so a selector with matchLabels is needed beside portLevelMtls.',
    );
  }
  for (const port of Object.keys(portLevelMtls)) {
    if (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535) continue;
    findings.add(meaningCodes.invalidName, joinPath('spec.portLevelMtls', port), `"${port}" is no port number.`);
  }
}
