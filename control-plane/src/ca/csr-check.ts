// What a certificate request must be before anything is signed for it: whole, signed by its own key, and of a strong kind.

import { createPublicKey, type KeyObject } from 'node:crypto';
import { messageOf } from '@weft/lib/error';
import { parsePem } from '@weft/lib/x509/pem';
import { x509Library } from './x509-library.ts';

/** A request of an ordinary workload has less than one KiB. */
const maxCsrBytes = 16 * 1024;
const curves: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const rsaBits = { min: 2048, max: 8192 };

/** The requested key. Only the key: names come from who the caller is, not from what it writes. */
export interface CheckedCsr {
  readonly publicKeyDer: Buffer;
}

/** The key, or why the request is refused. */
export async function checkCsr(pem: string): Promise<CheckedCsr | string> {
  if (pem.length > maxCsrBytes) return `the CSR is larger than ${maxCsrBytes} bytes`;
  try {
    const block = parsePem(pem).find(
      ({ label }) => label === 'CERTIFICATE REQUEST' || label === 'NEW CERTIFICATE REQUEST',
    );
    if (block === undefined) return 'the CSR holds no CERTIFICATE REQUEST block; send it as PEM';
    const x509 = await x509Library();
    const request = new x509.Pkcs10CertificateRequest(block.der);
    const publicKeyDer = Buffer.from(request.publicKey.rawData);
    const weakness = findWeakness(createPublicKey({ key: publicKeyDer, format: 'der', type: 'spki' }));
    if (weakness !== null) return weakness;
    if (!(await request.verify())) return 'the CSR is not signed by the key it is for';
    return { publicKeyDer };
  } catch (error) {
    return `the CSR cannot be read: ${messageOf(error)}`;
  }
}

function findWeakness(key: KeyObject): string | null {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec') {
    const curve = details?.namedCurve ?? 'unknown';
    return curves.has(curve) ? null : `the curve ${curve} is not accepted; use P-256, P-384 or P-521`;
  }
  if (type === 'ed25519') return null;
  if (type !== 'rsa') return `a key of type ${type} is not accepted; use ECDSA P-256`;
  const bits = details?.modulusLength ?? 0;
  if (bits >= rsaBits.min && bits <= rsaBits.max) return null;
  return `an RSA key of ${bits} bits is not accepted; use ${rsaBits.min} to ${rsaBits.max}, or ECDSA P-256`;
}
