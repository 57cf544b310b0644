// Whether the certificate of a Secret is valid now.

import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { meaningCodes } from '../issue-code.ts';
import type { MeshIndex } from '../mesh-index.ts';
import { tlsMaterialOf, validityOf } from './key-pair.ts';

/** Warns of certificates that clients refuse because of their dates. */
export function checkSecret(resource: StoredResource<'Secret'>, index: MeshIndex, findings: Findings): void {
  const { certificate } = tlsMaterialOf(resource.object);
  const validity = certificate === null ? null : validityOf(certificate);
  if (validity === null) return;
  const { nowMs } = index.context;
  if (nowMs > validity.toMs)
    findings.add(
      meaningCodes.expiredCertificate,
      'data',
      `The certificate expired on ${day(validity.toMs)}; renew it.`,
    );
  if (nowMs < validity.fromMs)
    findings.add(
      meaningCodes.expiredCertificate,
      'data',
      `The certificate is valid from ${day(validity.fromMs)} only.`,
    );
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
