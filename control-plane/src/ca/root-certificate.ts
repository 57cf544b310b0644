// Makes the self-signed root of a new mesh: ECDSA P-384, ten years, allowed to sign leafs only.

import { randomBytes, webcrypto } from 'node:crypto';
import { formatPem } from '@weft/lib/x509/pem';
import { backdateMs, makeSerial } from './validity.ts';
import { x509Library } from './x509-library.ts';

const lifetimeYears = 10;

/** The root's DER and its key in PKCS#8 PEM. */
export async function makeRoot(
  trustDomain: string,
  nowMs: number,
): Promise<{ certificateDer: Buffer; keyPem: string }> {
  const x509 = await x509Library();
  const { subtle } = webcrypto;
  const keys = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, ['sign', 'verify']);
  const notAfter = new Date(nowMs);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + lifetimeYears);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: makeSerial(),
    // The name differs between meshes, so that two roots in one bundle are told apart.
    name: [{ O: [trustDomain] }, { CN: [`weft root ${randomBytes(4).toString('hex')}`] }],
    notBefore: new Date(nowMs - backdateMs),
    notAfter,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-384' },
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = Buffer.from(await subtle.exportKey('pkcs8', keys.privateKey));
  return { certificateDer: Buffer.from(certificate.rawData), keyPem: formatPem('PRIVATE KEY', key) };
}
