// What the authority sent, checked before it is used: our key, our identity, in date.

import { type KeyObject, X509Certificate } from 'node:crypto';
import type { Clock } from '@weft/lib/clock';
import { WeftError } from '@weft/lib/error';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { formatPrivateKeyPem } from '@weft/lib/x509/csr';
import { formatPem, parseCertificatePem } from '@weft/lib/x509/pem';
import { type CertificateMaterial, pairCertificate } from '../secret.ts';

/** The workload's certificate and the roots that came with it. */
export interface IssuedChain {
  readonly material: CertificateMaterial;
  readonly roots: readonly Buffer[];
}

/** Throws `WeftError` saying why the answer is of no use. */
export function readIssuedChain(chain: readonly string[], key: KeyObject, spiffeId: string, clock: Clock): IssuedChain {
  const certificates = parseCertificatePem(chain.join('\n'));
  const roots = certificates.filter((der, i) => i > 0 && isSelfSigned(der));
  const rest = certificates.filter((der) => !roots.includes(der));
  const chainPem = rest.map((der) => formatPem('CERTIFICATE', der)).join('');
  const issues: Issue[] = [];
  const material = pairCertificate({ chainPem, keyPem: formatPrivateKeyPem(key) }, clock, { issues, path: 'answer' });
  if (material === null) {
    throw new WeftError('WEFT0762', `the authority's answer cannot be used: ${issues.map(formatIssue).join('; ')}`);
  }
  const { uris } = material.leaf.names;
  if (uris.length === 1 && uris[0] === spiffeId) return { material, roots };
  throw new WeftError('WEFT0763', `the authority issued a certificate for "${uris.join(', ')}", not for "${spiffeId}"`);
}

function isSelfSigned(der: Buffer): boolean {
  const facts = parseCertificate(der);
  if (!facts.isCa || facts.subject !== facts.issuer) return false;
  const certificate = new X509Certificate(der);
  return certificate.verify(certificate.publicKey);
}
