// The secure side of the control plane: its authority, the certificates of its own ports, and who calls.

import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import type { Clock, Timer } from '@weft/lib/clock';
import { startWallTimer } from '@weft/lib/wall-timer';
import { loadOrMakeAuthority, readAuthority } from './ca/ca-files.ts';
import type { CaLog } from './ca/ca-log.ts';
import { CallerIdentity } from './ca/caller.ts';
import { CertificateAuthority } from './ca/certificate-authority.ts';
import { certificateServiceDefinition, certificateServiceImplementation } from './ca/certificate-service.ts';
import { JoinTokens } from './ca/join-tokens.ts';
import { controlPlaneAccount, MeshServerCredentials } from './ca/server-credentials.ts';
import { renewalOf } from './ca/validity.ts';
import type { ServerCertificate } from './mesh-api/dual-server.ts';

export interface SecurityOptions {
  readonly stateDirectory: string;
  /** Directory of an authority to use (Istio's `cacerts` names); one is made in the state directory when left out. */
  readonly authorityDirectory: string | null;
  readonly trustDomain: string;
  /** Lifetime of workload certificates; the authority's default when left out. */
  readonly certificateTtlMs?: number;
  readonly clock: Clock;
  readonly log: CaLog;
}

const apiHosts = ['localhost', '127.0.0.1', '::1'];
const retryMs = 10_000;

export class MeshSecurity {
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly callers: CallerIdentity;
  readonly credentials: MeshServerCredentials;
  private readonly options: SecurityOptions;
  private timer: Timer | null = null;

  private constructor(options: SecurityOptions, authority: CertificateAuthority, credentials: MeshServerCredentials) {
    const { stateDirectory, trustDomain, clock, log } = options;
    this.options = options;
    this.authority = authority;
    this.credentials = credentials;
    this.tokens = new JoinTokens(join(stateDirectory, 'join-tokens'), clock, log);
    this.callers = new CallerIdentity(trustDomain, this.tokens, clock);
  }

  static async start(options: SecurityOptions): Promise<MeshSecurity> {
    const { clock, log, trustDomain, stateDirectory, certificateTtlMs } = options;
    const nowMs = clock.wallMs();
    // An authority that was given is only read: a mistyped path must not become a new root.
    const files =
      options.authorityDirectory === null
        ? await loadOrMakeAuthority(join(stateDirectory, 'ca'), { trustDomain, nowMs })
        : readAuthority(options.authorityDirectory, nowMs);
    const ttl = certificateTtlMs === undefined ? {} : { defaultTtlMs: certificateTtlMs };
    const authority = new CertificateAuthority(files, { clock, trustDomain, ...ttl });
    const credentials = await MeshServerCredentials.create({ authority, clock, log });
    return new MeshSecurity(options, authority, credentials);
  }

  /** Adds the certificate service to the control plane's gRPC server. */
  addTo(server: Server): void {
    const { authority, callers, tokens } = this;
    const parts = { authority, callers, tokens, log: this.options.log };
    server.addService(certificateServiceDefinition, certificateServiceImplementation(parts));
  }

  /** A certificate for the mesh API, so that kubectl can send its token; `renewed` gets each later one. */
  async apiCertificate(renewed: (certificate: ServerCertificate) => void): Promise<ServerCertificate> {
    const { authority } = this;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const issued = await authority.issue({
      id: { trustDomain: authority.trustDomain, ...controlPlaneAccount },
      publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
      ttlMs: null,
      hosts: apiHosts,
    });
    const { clock } = this.options;
    this.timer = startWallTimer(clock, renewalOf(issued, clock.wallMs()), () => this.renewApi(renewed), null);
    return {
      certificate: [issued.pem, ...authority.intermediates].join(''),
      key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    };
  }

  close(): void {
    this.timer?.stop();
    this.timer = null;
    this.credentials.close();
  }

  private renewApi(renewed: (certificate: ServerCertificate) => void): void {
    const { clock, log } = this.options;
    this.apiCertificate(renewed).then(renewed, (error: unknown) => {
      log.error({ err: error }, 'the certificate of the mesh API could not be renewed, trying again');
      this.timer = clock.start(retryMs, () => this.renewApi(renewed), null);
    });
  }
}
