// Which of a server's certificates answers to a server name: an exact name, else a wildcard, else the first certificate.

import type { CertificateMaterial } from './secret.ts';

/** Certificates that one TLS context holds: at most one of each key type, OpenSSL picking what the client can check. */
export type CertificateGroup = readonly CertificateMaterial[];

/** Groups by lower-case name; wildcards by the part after `*`. */
export interface SniChoice {
  readonly exact: ReadonlyMap<string, CertificateGroup>;
  readonly wildcard: ReadonlyMap<string, CertificateGroup>;
  readonly fallback: CertificateGroup;
}

/** Earlier certificates win where two of one key type carry the same name, as in Envoy. */
export function compileSniChoice(certificates: readonly CertificateMaterial[]): SniChoice {
  const exact: Map<string, CertificateMaterial[]> = new Map();
  const wildcard: Map<string, CertificateMaterial[]> = new Map();
  for (const certificate of certificates) {
    for (const name of namesOf(certificate)) {
      if (name.startsWith('*.')) addTo(wildcard, name.slice(1), certificate);
      else addTo(exact, name, certificate);
    }
  }
  const fallback: CertificateMaterial[] = [];
  for (const certificate of certificates) addOfNewType(fallback, certificate);
  return { exact, wildcard, fallback };
}

/** The group for a server name. */
export function pickCertificates(choice: SniChoice, serverName: string): CertificateGroup {
  const name = serverName.toLowerCase();
  const exact = choice.exact.get(name);
  if (exact !== undefined) return exact;
  const dot = name.indexOf('.');
  return (dot > 0 ? choice.wildcard.get(name.slice(dot)) : undefined) ?? choice.fallback;
}

/** DNS names, or without any the subject's common name. */
function namesOf(certificate: CertificateMaterial): string[] {
  const { names, subject } = certificate.leaf;
  if (names.dnsNames.length > 0) return names.dnsNames.map((name) => name.toLowerCase());
  const commonName = /(?:^|,)CN=([A-Za-z0-9.*-]+)(?:,|$)/.exec(subject)?.[1];
  return commonName === undefined ? [] : [commonName.toLowerCase()];
}

function addTo(map: Map<string, CertificateMaterial[]>, name: string, certificate: CertificateMaterial): void {
  const group = map.get(name) ?? [];
  addOfNewType(group, certificate);
  map.set(name, group);
}

function addOfNewType(group: CertificateMaterial[], certificate: CertificateMaterial): void {
  if (!group.some((other) => other.keyType === certificate.keyType)) group.push(certificate);
}
