// The certificate authority as the control plane's composition root uses it: one call to start, the rest is ready-made.

import { join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import type { Clock } from '@weft/lib/clock';
import { loadOrMakeAuthority, readAuthority, rootFileOf } from './ca-files.ts';
import type { CaLog } from './ca-log.ts';
import { CallerIdentity } from './caller.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { certificateServiceDefinition, certificateServiceImplementation } from './certificate-service.ts';
import { JoinTokens } from './join-tokens.ts';
import { MeshServerCredentials } from './server-credentials.ts';

export interface MeshCaOptions {
  /** `ca/` (unless given elsewhere) and `join-tokens/` are kept in it. */
  readonly stateDirectory: string;
  /** A directory in the layout of Istio's `cacerts`; without it the mesh makes a root of its own. */
  readonly authorityDirectory?: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: CaLog;
  /** Lifetime of workload certificates: 24 hours when left out. */
  readonly defaultTtlMs?: number;
  readonly maxTtlMs?: number;
  /** Names and addresses of the gRPC port, besides loopback. */
  readonly hosts?: readonly string[];
}

/** A running authority. */
export class MeshCa {
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  /** `byCertificate(call)` is what the ADS server identifies its streams by. */
  readonly callers: CallerIdentity;
  /** For `bindAsync` of the port that serves ADS and certificates. */
  readonly credentials: MeshServerCredentials;
  /** File with the roots, for those who join. */
  readonly trustBundleFile: string;
  private readonly log: CaLog;

  constructor(parts: Pick<MeshCa, 'authority' | 'tokens' | 'callers' | 'credentials' | 'trustBundleFile'>, log: CaLog) {
    this.authority = parts.authority;
    this.tokens = parts.tokens;
    this.callers = parts.callers;
    this.credentials = parts.credentials;
    this.trustBundleFile = parts.trustBundleFile;
    this.log = log;
  }

  /** Offers the certificate service on a gRPC server. */
  addTo(server: Server): void {
    server.addService(certificateServiceDefinition, certificateServiceImplementation({ ...this, log: this.log }));
  }

  close(): void {
    this.credentials.close();
  }
}

/** Rejects with `WeftError` when the authority cannot be used. */
export async function startMeshCa(options: MeshCaOptions): Promise<MeshCa> {
  const { clock, log, trustDomain, stateDirectory, authorityDirectory } = options;
  const directory = authorityDirectory ?? join(stateDirectory, 'ca');
  const nowMs = clock.wallMs();
  const files =
    authorityDirectory === undefined
      ? await loadOrMakeAuthority(directory, { trustDomain, nowMs })
      : readAuthority(authorityDirectory, nowMs);
  const authority = new CertificateAuthority(files, options);
  const tokens = new JoinTokens(join(stateDirectory, 'join-tokens'), clock, log);
  const callers = new CallerIdentity(trustDomain, tokens, clock);
  const hosts = options.hosts === undefined ? {} : { extraHosts: options.hosts };
  const credentials = await MeshServerCredentials.create({ authority, clock, log, ...hosts });
  return new MeshCa({ authority, tokens, callers, credentials, trustBundleFile: rootFileOf(directory) }, log);
}
