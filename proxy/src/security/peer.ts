// The peer of a TLS connection, known only after its certificate was verified.

import type { TLSSocket } from 'node:tls';
import { type CertificateFacts, certificateHash } from '@weft/lib/x509/certificate';
import { formatPem } from '@weft/lib/x509/pem';
import type { PeerCertificate } from '../io/connection-info.ts';

/** A verified certificate; the costly texts are made when first asked for and kept. */
export class VerifiedPeer implements PeerCertificate {
  readonly facts: CertificateFacts;
  private hashText: string | null = null;
  private pemText: string | null = null;

  constructor(facts: CertificateFacts) {
    this.facts = facts;
  }

  get uriSans(): readonly string[] {
    return this.facts.names.uris;
  }

  get dnsSans(): readonly string[] {
    return this.facts.names.dnsNames;
  }

  get subject(): string {
    return this.facts.subject;
  }

  get issuer(): string {
    return this.facts.issuer;
  }

  get serial(): string {
    return this.facts.serial;
  }

  get hash(): string {
    this.hashText ??= certificateHash(this.facts.der);
    return this.hashText;
  }

  get pem(): string {
    this.pemText ??= formatPem('CERTIFICATE', this.facts.der);
    return this.pemText;
  }
}

const verifiedPeers: WeakMap<TLSSocket, VerifiedPeer> = new WeakMap();

/** The verified certificate of the other end, or null when it showed none or none was asked for. */
export function peerCertificate(socket: TLSSocket): VerifiedPeer | null {
  return verifiedPeers.get(socket) ?? null;
}

/** Notes that the certificate passed every check. For the two handshake modules beside this one only. */
export function rememberPeer(socket: TLSSocket, facts: CertificateFacts): void {
  verifiedPeers.set(socket, new VerifiedPeer(facts));
}
