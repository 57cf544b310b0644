// Semantic checks of one Secret: its certificate and key belong together.

import type { Secret } from '@weft/api/resource/secret';
import { joinPath } from '../field-path.ts';
import type { Findings } from '../findings.ts';
import { meaningCodes } from '../issue-code.ts';
import { certificateProblem, keyPairProblem, tlsMaterialOf } from './key-pair.ts';

const usedTypes = ['kubernetes.io/tls', 'Opaque'];

/** Everything that can be said about a Secret seen alone. Values never appear in a message. */
export function validateSecret(secret: Secret, findings: Findings): void {
  const type = secret.type ?? 'Opaque';
  const { certificate, key, authorities } = tlsMaterialOf(secret);
  if (!usedTypes.includes(type))
    findings.add(meaningCodes.unsupportedSecret, 'type', `Nothing in Weft uses secrets of type ${type}.`);
  if (type === 'kubernetes.io/tls') {
    for (const name of ['tls.crt', 'tls.key']) {
      if (secret.data?.[name] !== undefined) continue;
      findings.add(
        meaningCodes.invalidKeyPair,
        joinPath('data', name),
        `A secret of type kubernetes.io/tls needs ${name}.`,
      );
    }
  }
  if (certificate !== null && key !== null) {
    const problem = keyPairProblem(certificate, key);
    if (problem !== null) findings.add(meaningCodes.invalidKeyPair, 'data', `The key pair cannot be used: ${problem}.`);
  }
  const wrong = authorities === null ? null : certificateProblem(authorities);
  if (wrong !== null)
    findings.add(meaningCodes.invalidKeyPair, 'data', `The certificate of the authority cannot be used: ${wrong}.`);
}
