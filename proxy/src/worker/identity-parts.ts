// The workload's identity on its way from the main thread to the workers. It stays in the memory of the process.

import type { Clock } from '@weft/lib/clock';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { parseCertificatePem } from '@weft/lib/x509/pem';
import { makeSecret, rootsOnly, type Secret } from '../security/secret.ts';

/** A secret that the process made itself, or that there is none of that name any more. */
export interface IdentityParts {
  readonly name: string;
  readonly certificate: { readonly chainPem: string; readonly keyPem: string; readonly keyType: string } | null;
  readonly rootsPem: string | null;
}

export function identityPartsOf(name: string, secret: Secret | null): IdentityParts {
  const { certificate = null, trust = null } = secret ?? {};
  if (certificate === null) return { name, certificate: null, rootsPem: trust?.rootsPem ?? null };
  const { chainPem, keyPem, keyType } = certificate;
  return { name, certificate: { chainPem, keyPem, keyType }, rootsPem: trust?.rootsPem ?? null };
}

/** The secret, or null when it is gone. */
export function secretOf(parts: IdentityParts, clock: Clock): Secret | null {
  const { name, certificate, rootsPem } = parts;
  const context = { name, version: 'identity', clock };
  if (certificate !== null) {
    const chain = parseCertificatePem(certificate.chainPem).map(parseCertificate);
    const [leaf] = chain;
    if (leaf === undefined) return null;
    return makeSecret(context, { certificate: { ...certificate, passphrase: undefined, leaf, chain } });
  }
  if (rootsPem === null) return null;
  return makeSecret(context, { trust: rootsOnly(rootsPem, parseCertificatePem(rootsPem).map(parseCertificate)) });
}
