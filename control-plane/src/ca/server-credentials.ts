// TLS of the control plane's gRPC port: its own certificate from its own authority, renewed in place; a client certificate is
// asked for and checked when shown, but not required, as a workload that joins has none yet.

import { generateKeyPairSync } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import type { Clock, Timer } from '@weft/lib/clock';
import { startWallTimer } from '@weft/lib/wall-timer';
import type { SpiffeId } from '@weft/lib/x509/spiffe';
import type { CaLog } from './ca-log.ts';
import type { CertificateAuthority, IssuedCertificate } from './certificate-authority.ts';
import { renewalOf } from './validity.ts';

/** The account of the control plane: proxies expect this identity at the other end, as they would of Istio's. */
export const controlPlaneAccount = { namespace: 'istio-system', serviceAccount: 'istiod' } as const;

export interface ServerCredentialsOptions {
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  readonly log: CaLog;
  /** `controlPlaneAccount` when left out. */
  readonly account?: Pick<SpiffeId, 'namespace' | 'serviceAccount'>;
  /** Names and addresses by which clients reach it, besides loopback and Istio's service name. */
  readonly extraHosts?: readonly string[];
}

const defaultHosts = ['localhost', 'istiod.istio-system.svc', '127.0.0.1', '::1'];
const retryMs = 10_000;

/**
 * gRPC reports a client's certificate (`getAuthContext`) only where its chain verified, so an untrusted one counts as none.
 * `close` ends the renewal.
 */
export class MeshServerCredentials extends ServerCredentials {
  private readonly options: ServerCredentialsOptions;
  private timer: Timer | null = null;

  private constructor(options: ServerCredentialsOptions, context: SecureContextOptions) {
    super({ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' }, context);
    this.options = options;
  }

  /** Issues the first certificate and keeps renewing it at half of its life. */
  static async create(options: ServerCredentialsOptions): Promise<MeshServerCredentials> {
    const { issued, context } = await makeContext(options);
    const credentials = new MeshServerCredentials(options, context);
    credentials.schedule(issued);
    return credentials;
  }

  /** Makes a new certificate now; connections that are open keep the old one. */
  async renew(): Promise<void> {
    this.timer?.stop();
    try {
      const { issued, context } = await makeContext(this.options);
      this.updateSecureContextOptions(context);
      this.options.log.info({ serial: issued.serial }, 'the certificate of the control plane was renewed');
      this.schedule(issued);
    } catch (error) {
      this.options.log.error({ err: error }, 'the certificate of the control plane could not be renewed, trying again');
      this.timer = this.options.clock.start(retryMs, startRenewal, this);
    }
  }

  close(): void {
    this.timer?.stop();
    this.timer = null;
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }

  private schedule(issued: IssuedCertificate): void {
    const { clock } = this.options;
    this.timer = startWallTimer(clock, renewalOf(issued, clock.wallMs()), startRenewal, this);
  }
}

function startRenewal(credentials: MeshServerCredentials): void {
  void credentials.renew();
}

async function makeContext(
  options: ServerCredentialsOptions,
): Promise<{ issued: IssuedCertificate; context: SecureContextOptions }> {
  const { authority } = options;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issued = await authority.issue({
    id: { trustDomain: authority.trustDomain, ...(options.account ?? controlPlaneAccount) },
    publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
    ttlMs: null,
    hosts: [...defaultHosts, ...(options.extraHosts ?? [])],
  });
  const context = {
    cert: [issued.pem, ...authority.intermediates].join(''),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ca: authority.trustBundle,
  };
  return { issued, context };
}
