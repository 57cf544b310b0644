// Certificate signing requests (PKCS#10, RFC 2986) for a workload: an empty subject, the identity as a URI name.

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  derBitString,
  derBoolean,
  derContext,
  derInteger,
  derObjectId,
  derOctetString,
  derSequence,
  derSet,
} from './der-writer.ts';
import { formatPem } from './pem.ts';

const oidExtensionRequest = '1.2.840.113549.1.9.14';
const oidSubjectAltName = '2.5.29.17';
const oidEcdsaWithSha256 = '1.2.840.10045.4.3.2';

/** A fresh ECDSA P-256 key. It lives in this process only: whoever asks must not write it anywhere. */
export function generateWorkloadKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/** The key as PKCS#8 PEM, as `tls.createSecureContext` wants it. */
export function formatPrivateKeyPem(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

/** A request in PEM for that identity, signed by `key` (ECDSA, SHA-256), which proves that the asker holds it. */
export function buildCsr(key: KeyObject, uri: string): string {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const altNames = derSequence(derContext(6, true, Buffer.from(uri, 'latin1')));
  const extensions = derSequence(
    derSequence(derObjectId(oidSubjectAltName), derBoolean(true), derOctetString(altNames)),
  );
  const attribute = derSequence(derObjectId(oidExtensionRequest), derSet(extensions));
  const info = derSequence(derInteger(0), derSequence(), publicKey, derContext(0, false, attribute));
  const signature = sign('sha256', info, key);
  const request = derSequence(info, derSequence(derObjectId(oidEcdsaWithSha256)), derBitString(signature));
  return formatPem('CERTIFICATE REQUEST', request);
}
