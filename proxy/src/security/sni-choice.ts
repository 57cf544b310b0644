// Which of a server's certificates answers to a server name: an exact name, else a wildcard, else the first certificate.

import type { CertificateMaterial } from './secret.ts';

/** Certificates for one name: at most one of each key type, so that every client finds one that it can check. */
export type CertificateGroup = readonly CertificateMaterial[];

/** Groups by lower-case name; wildcards by the part after `*`. A group of the same certificates as the fallback is the fallback. */
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
  for (const groups of [exact, wildcard]) {
    for (const [name, group] of groups) if (isSame(group, fallback)) groups.set(name, fallback);
  }
  return { exact, wildcard, fallback };
}

/** Whether the name that a client asks for makes any difference. */
export function hasChoice({ exact, wildcard, fallback }: SniChoice): boolean {
  return [...exact.values(), ...wildcard.values()].some((group) => group !== fallback);
}

/** The group for a server name. */
export function pickCertificates(choice: SniChoice, serverName: string): CertificateGroup {
  const name = serverName.toLowerCase();
  const exact = choice.exact.get(name);
  if (exact !== undefined) return exact;
  const dot = name.indexOf('.');
  return (dot > 0 ? choice.wildcard.get(name.slice(dot)) : undefined) ?? choice.fallback;
}

/** Key types, the cheapest for the server first, and how the algorithms by which they sign begin in OpenSSL's words. */
const signatures: readonly (readonly [keyType: string, algorithm: string])[] = [
  ['ec', 'ECDSA'],
  ['ed25519', 'Ed25519'],
  ['ed448', 'Ed448'],
  ['rsa', 'RSA'],
];

/** The certificate of a group for a client that can check those algorithms; the first one where none is known to do. */
export function pickByAlgorithm(
  group: CertificateGroup,
  algorithms: readonly string[],
): CertificateMaterial | undefined {
  for (const [keyType, algorithm] of signatures) {
    const found = group.find((certificate) => certificate.keyType === keyType);
    if (found !== undefined && algorithms.some((one) => one.startsWith(algorithm))) return found;
  }
  return group[0];
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

// Both are in the order of the configuration.
function isSame(group: CertificateGroup, other: CertificateGroup): boolean {
  return group.length === other.length && group.every((certificate, i) => certificate === other[i]);
}

function addOfNewType(group: CertificateMaterial[], certificate: CertificateMaterial): void {
  if (!group.some((other) => other.keyType === certificate.keyType)) group.push(certificate);
}
