// Signs short-lived certificates for workloads: the identity it was told by whoever authenticated the caller, and nothing else.

import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { assert } from '@weft/lib/assert';
import type { Clock } from '@weft/lib/clock';
import { formatPem, parseCertificatePem } from '@weft/lib/x509/pem';
import { formatSpiffeId, isValidSpiffeId, type SpiffeId } from '@weft/lib/x509/spiffe';
import type { AuthorityFiles } from './ca-files.ts';
import { backdateMs, makeSerial } from './validity.ts';
import { x509Library } from './x509-library.ts';

/** What to sign. */
export interface IssueRequest {
  readonly id: SpiffeId;
  /** SubjectPublicKeyInfo of a key whose holder has proved that it has it. */
  readonly publicKeyDer: Buffer;
  /** Wanted lifetime; null takes the default. Never longer than the maximum or the authority itself. */
  readonly ttlMs: number | null;
  /** DNS names and addresses, for the control plane's own certificate only. */
  readonly hosts?: readonly string[];
}

/** A new certificate. */
export interface IssuedCertificate {
  readonly pem: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface AuthorityOptions {
  readonly clock: Clock;
  readonly trustDomain: string;
  /** 24 hours when left out. */
  readonly defaultTtlMs?: number;
  /** The default lifetime when left out. */
  readonly maxTtlMs?: number;
}

const dayMs = 24 * 3600_000;
/** Shorter ones would expire on the way. */
const minTtlMs = 5_000;

/** The signer. */
export class CertificateAuthority {
  readonly trustDomain: string;
  /** Intermediates to send after each leaf, in PEM; empty when the root signs. */
  readonly intermediates: readonly string[];
  /** The root or roots that workloads trust, in PEM. */
  readonly trustBundle: string;
  private readonly clock: Clock;
  private readonly defaultTtlMs: number;
  private readonly maxTtlMs: number;
  private readonly signingDer: Buffer;
  private readonly signingKey: KeyObject;

  constructor(files: AuthorityFiles, options: AuthorityOptions) {
    const [signing] = parseCertificatePem(files.certificate);
    assert(signing !== undefined, 'authority files are checked when they are read');
    const roots = parseCertificatePem(files.root);
    const chain = files.chain.trim() === '' ? [] : parseCertificatePem(files.chain);
    const between = [signing, ...chain].filter((der) => !roots.some((root) => root.equals(der)));
    this.intermediates = dedupe(between).map((der) => formatPem('CERTIFICATE', der));
    this.trustBundle = roots.map((der) => formatPem('CERTIFICATE', der)).join('');
    this.trustDomain = options.trustDomain;
    this.clock = options.clock;
    this.defaultTtlMs = options.defaultTtlMs ?? dayMs;
    this.maxTtlMs = options.maxTtlMs ?? this.defaultTtlMs;
    this.signingDer = signing;
    this.signingKey = createPrivateKey(files.key);
  }

  /** Signs. The caller has checked that whoever holds the key is that identity. */
  async issue(request: IssueRequest): Promise<IssuedCertificate> {
    assert(isValidSpiffeId(request.id), 'identities come from authentication, which validates them');
    const x509 = await x509Library();
    const issuer = new x509.X509Certificate(this.signingDer);
    const { signingKey, signingAlgorithm } = await this.importKey();
    const nowMs = this.clock.wallMs();
    const wantedMs = Math.max(minTtlMs, Math.min(request.ttlMs ?? this.defaultTtlMs, this.maxTtlMs));
    // Certificates count in whole seconds; the answer must say what the certificate says.
    const notAfterMs = Math.floor(Math.min(nowMs + wantedMs, issuer.notAfter.getTime()) / 1000) * 1000;
    const notBeforeMs = Math.floor((nowMs - backdateMs) / 1000) * 1000;
    const serial = makeSerial();
    const uri = formatSpiffeId(request.id);
    const names = [{ type: 'url' as const, value: uri }, ...(request.hosts ?? []).map(hostName)];
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial,
      issuer: issuer.subjectName,
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(notAfterMs),
      publicKey: request.publicKeyDer,
      signingKey,
      signingAlgorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        // The subject is empty, so the names are critical (RFC 5280 §4.2.1.6).
        new x509.SubjectAlternativeNameExtension(names, true),
        await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ],
    });
    return { pem: formatPem('CERTIFICATE', Buffer.from(certificate.rawData)), serial, notBeforeMs, notAfterMs };
  }

  private async importKey(): Promise<{
    signingKey: webcrypto.CryptoKey;
    signingAlgorithm: webcrypto.EcdsaParams | webcrypto.Algorithm;
  }> {
    const der = this.signingKey.export({ type: 'pkcs8', format: 'der' });
    const curve = this.signingKey.asymmetricKeyDetails?.namedCurve;
    if (this.signingKey.asymmetricKeyType === 'rsa') {
      const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
      const signingKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
      return { signingKey, signingAlgorithm: algorithm };
    }
    const namedCurve = curve === 'prime256v1' ? 'P-256' : curve === 'secp521r1' ? 'P-521' : 'P-384';
    const signingKey = await webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve }, false, ['sign']);
    return { signingKey, signingAlgorithm: { name: 'ECDSA', hash: namedCurve === 'P-256' ? 'SHA-256' : 'SHA-384' } };
  }
}

function hostName(host: string): { type: 'ip' | 'dns'; value: string } {
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
}

function dedupe(list: readonly Buffer[]): Buffer[] {
  return list.filter((der, i) => list.findIndex((other) => other.equals(der)) === i);
}
