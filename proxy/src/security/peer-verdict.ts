// The last word on a peer's certificate, the same for both ends: chain, dates, names, pins.

import { messageOf } from '@weft/lib/error';
import { type CertificateFacts, parseCertificate } from '@weft/lib/x509/certificate';
import { matchesAnyName, matchesDnsName, matchesPins } from './san-match.ts';
import { describeLeaf, type TrustMaterial } from './secret.ts';
import { hasRoots } from './tls-settings.ts';
import type { TlsStats } from './tls-stats.ts';

/** What the handshake found out. */
export interface PeerEvidence {
  readonly facts: CertificateFacts;
  /** OpenSSL's word on the chain: null when it leads to a trusted root. */
  readonly chainError: string | null;
  readonly nowMs: number;
  /** A DNS name or address that the certificate must be for besides the configured names; null for none. */
  readonly expectedHost: string | null;
}

/** The facts of a certificate shown by a peer, or why they cannot be read. */
export function readPeerCertificate(der: Buffer): CertificateFacts | string {
  try {
    return parseCertificate(der);
  } catch (error) {
    return `the peer's certificate is malformed: ${messageOf(error)}`;
  }
}

/** Why the peer is refused, having counted it, or null when it passes. */
export function judgePeer(evidence: PeerEvidence, trust: TrustMaterial, stats: TlsStats): string | null {
  const { facts, chainError, nowMs, expectedHost } = evidence;
  const who = describeLeaf(facts);
  if (chainError !== null && hasRoots(trust)) {
    stats.failVerifyError.inc();
    return `the certificate of "${who}", issued by "${facts.issuer}", does not verify: ${chainError}`;
  }
  // A resumed session was verified when it began; time has passed since.
  if (nowMs >= facts.notAfterMs) {
    stats.failVerifyError.inc();
    return `the certificate of "${who}" expired at ${new Date(facts.notAfterMs).toISOString()}`;
  }
  if (trust.sanMatchers.length > 0 && !matchesAnyName(trust.sanMatchers, facts.names)) {
    stats.failVerifyNames.inc();
    return `the certificate is for "${who}", none of whose names is one of those expected here`;
  }
  if (expectedHost !== null && !coversHost(facts, expectedHost)) {
    stats.failVerifyNames.inc();
    return `the certificate is for "${who}", not for "${expectedHost}"`;
  }
  if (!matchesPins(trust.pins, facts)) {
    stats.failVerifyHash.inc();
    return `the certificate of "${who}" has none of the hashes expected here`;
  }
  return null;
}

/** Whether a DNS or IP name of the certificate covers that host. */
function coversHost(facts: CertificateFacts, host: string): boolean {
  const lower = host.toLowerCase();
  return facts.names.ipAddresses.includes(lower) || facts.names.dnsNames.some((name) => matchesDnsName(name, lower));
}
