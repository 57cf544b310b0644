// The peer of a TLS connection, known only after its certificate was verified.

import type { TLSSocket } from 'node:tls';
import { type CertificateFacts, certificateHash } from '@weft/lib/x509/certificate';
import { formatPem } from '@weft/lib/x509/pem';
import type { PeerCertificate } from '../io/connection-info.ts';

/** OpenSSL itself follows no longer chains. */
const maxChainLength = 100;

/** A verified certificate; the costly texts are made when first asked for and kept. */
export class VerifiedPeer implements PeerCertificate {
  readonly facts: CertificateFacts;
  private readonly socket: TLSSocket | null;
  private hashText: string | null = null;
  private pemText: string | null = null;

  constructor(facts: CertificateFacts, socket: TLSSocket | null = null) {
    this.facts = facts;
    this.socket = socket;
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

  /** Intermediates are known for a full handshake on an open connection; a resumed session remembers the leaf only. */
  get chainPem(): string {
    let text = this.pem;
    let issuer = this.socket?.getPeerX509Certificate()?.issuerCertificate;
    for (let depth = 0; issuer !== undefined && depth < maxChainLength; depth++) {
      text += formatPem('CERTIFICATE', issuer.raw);
      issuer = issuer.issuerCertificate;
    }
    return text;
  }
}

const verifiedPeers: WeakMap<TLSSocket, VerifiedPeer> = new WeakMap();

/** The verified certificate of the other end, or null when it showed none or none was asked for. */
export function peerCertificate(socket: TLSSocket): VerifiedPeer | null {
  return verifiedPeers.get(socket) ?? null;
}

/** Notes that the certificate passed every check. For the two handshake modules beside this one only. */
export function rememberPeer(socket: TLSSocket, facts: CertificateFacts): void {
  verifiedPeers.set(socket, new VerifiedPeer(facts, socket));
}
