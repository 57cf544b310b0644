// What `/certs` shows, from the secrets in use.

import type { CertificateFacts } from '@weft/lib/x509/certificate';
import type { Secret } from '../security/secret.ts';
import type { CertificateReport, CertificatesReport } from './state.ts';

/** Reports every secret that holds a certificate or roots. */
export function reportCertificates(secrets: readonly Secret[]): CertificatesReport[] {
  return secrets.map((secret) => {
    const report = (facts: CertificateFacts) => reportCertificate(facts, secret);
    return { roots: (secret.trust?.roots ?? []).map(report), chain: (secret.certificate?.chain ?? []).map(report) };
  });
}

function reportCertificate(facts: CertificateFacts, secret: Secret): CertificateReport {
  return {
    path: secret.name === '' ? (secret.files[0] ?? '<inline>') : secret.name,
    serial: facts.serial,
    uriSans: facts.names.uris,
    dnsSans: facts.names.dnsNames,
    ipSans: facts.names.ipAddresses,
    validFromWallMs: facts.notBeforeMs,
    expiresWallMs: facts.notAfterMs,
  };
}
