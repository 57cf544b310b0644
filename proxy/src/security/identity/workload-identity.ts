// The workload's own identity: a key made in this process and never written, certified by the mesh's authority, renewed at
// half of its life, served to every TLS context as the secrets `default` and `ROOTCA`.

import { readFileSync } from 'node:fs';
import type { envoy, weft } from '@weft/api/xds/types';
import type { Clock, Timer } from '@weft/lib/clock';
import { messageOf, WeftError } from '@weft/lib/error';
import { GrpcCallError, grpcStatus } from '@weft/lib/grpc/unary';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { startWallTimer } from '@weft/lib/wall-timer';
import { type CertificateFacts, parseCertificate } from '@weft/lib/x509/certificate';
import { buildCsr, generateWorkloadKey } from '@weft/lib/x509/csr';
import { formatPem, parseCertificatePem } from '@weft/lib/x509/pem';
import { parseSpiffeId } from '@weft/lib/x509/spiffe';
import { makeSecret, rootsOnly, type SecretContext } from '../secret.ts';
import type { SecretCell, SecretSet } from '../secret-set.ts';
import type { SecurityLog } from '../security-log.ts';
import type { UpstreamNames, UpstreamTls } from '../upstream-tls.ts';
import { type CaEndpoint, type Credential, requestCertificate } from './ca-client.ts';
import { type IssuedChain, readIssuedChain } from './issued-chain.ts';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;
type IdentityConfig = weft.extensions.identity.v1.WorkloadIdentity;

const configType = 'weft.extensions.identity.v1.WorkloadIdentity';
/** The names that Envoy's sidecars know these secrets by. */
const certificateName = 'default';
const rootsName = 'ROOTCA';

const firstRetryMs = 500;
const maxRetryMs = 30_000;

/** An endpoint of the authority's cluster. */
interface CaHost {
  readonly address: string;
  readonly port: number;
  readonly tls: UpstreamTls | null;
  readonly tlsNames: UpstreamNames;
  readonly proxyHeader?: { readonly forNobody: Buffer } | null;
}

/** What it needs of the process. */
export interface IdentityHost {
  readonly clock: Clock;
  readonly log: SecurityLog;
  readonly secrets: SecretSet;
  readonly clusters: {
    get(name: string): {
      readonly hosts: readonly CaHost[];
    } | null;
  };
  readonly random?: () => number;
}

/** For status pages. */
export interface IdentityState {
  /** `none` before the first certificate, `expired` when renewal failed for too long. */
  readonly status: 'none' | 'valid' | 'expired';
  readonly spiffeId: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly daysLeft: number;
  /** Why the last attempt failed, or empty. */
  readonly problem: string;
}

/** Starts it when the bootstrap asks for it. Throws `WeftError` for a configuration that cannot work. */
export function startWorkloadIdentity(bootstrap: Bootstrap, host: IdentityHost): WorkloadIdentity | null {
  const any = (bootstrap.bootstrapExtensions ?? []).find(
    ({ typedConfig }) => typedConfig !== undefined && typeNameOf(typedConfig) === configType,
  )?.typedConfig;
  if (any === undefined) return null;
  const identity = new WorkloadIdentity(checkConfig(unpackAny(any, configType), host), host);
  identity.start();
  return identity;
}

/** A configuration that is complete. */
interface CheckedConfig {
  readonly caCluster: string;
  readonly tokenFile: string;
  readonly bundleFile: string;
  readonly spiffeId: string;
  readonly ttlSeconds: number;
}

function checkConfig(config: IdentityConfig, host: IdentityHost): CheckedConfig {
  const { caCluster = '', joinTokenPath = '', trustBundlePath = '', spiffeId = '' } = config;
  const problems: string[] = [];
  if (host.clusters.get(caCluster) === null)
    problems.push(`ca_cluster names "${caCluster}", which is no static cluster`);
  if (joinTokenPath === '') problems.push('join_token_path is missing');
  if (parseSpiffeId(spiffeId) === null)
    problems.push(`spiffe_id "${spiffeId}" is not spiffe://<trust domain>/ns/<namespace>/sa/<account>`);
  try {
    parseCertificatePem(readFileSync(trustBundlePath, 'utf8'));
  } catch (error) {
    problems.push(`trust_bundle_path "${trustBundlePath}" holds no usable roots: ${messageOf(error)}`);
  }
  if (problems.length > 0)
    throw new WeftError('WEFT0760', `the workload identity cannot start: ${problems.join('; ')}`);
  const ttlSeconds = Number(config.requestedTtl?.seconds ?? 0);
  return { caCluster, tokenFile: joinTokenPath, bundleFile: trustBundlePath, spiffeId, ttlSeconds };
}

/** Keeps the certificate current until stopped. */
export class WorkloadIdentity {
  private readonly config: CheckedConfig;
  private readonly host: IdentityHost;
  private readonly random: () => number;
  private readonly cell: SecretCell;
  private current: IssuedChain | null = null;
  private problem = '';
  private failures = 0;
  /** The authority did not take the certificate: the token, if there is a new one, is what is left. */
  private prefersToken = false;
  private attemptTimer: Timer | null = null;
  private expiryTimer: Timer | null = null;
  private isStopped = false;
  private isAsking = false;

  constructor(config: CheckedConfig, host: IdentityHost) {
    this.config = config;
    this.host = host;
    this.random = host.random ?? Math.random;
    this.cell = host.secrets.localCell(certificateName);
  }

  /** Asks for the first certificate. Roots are there at once. */
  start(): void {
    this.host.secrets.provideLocally([certificateName, rootsName]);
    this.putRoots([]);
    void this.renew();
  }

  stop(): void {
    this.isStopped = true;
    this.attemptTimer?.stop();
    this.expiryTimer?.stop();
  }

  get state(): IdentityState {
    const leaf = this.current?.material.leaf;
    const { spiffeId } = this.config;
    if (leaf === undefined) {
      return {
        status: 'none',
        spiffeId,
        serial: '',
        notBeforeMs: 0,
        notAfterMs: 0,
        daysLeft: 0,
        problem: this.problem,
      };
    }
    const leftMs = leaf.notAfterMs - this.host.clock.wallMs();
    return {
      status: leftMs > 0 ? 'valid' : 'expired',
      spiffeId,
      serial: leaf.serial,
      notBeforeMs: leaf.notBeforeMs,
      notAfterMs: leaf.notAfterMs,
      daysLeft: Math.max(0, leftMs / 86_400_000),
      problem: this.problem,
    };
  }

  /** Gets a certificate for a new key; on failure the present one stays and another attempt is planned. Never rejects. */
  async renew(): Promise<void> {
    if (this.isAsking || this.isStopped) return;
    this.isAsking = true;
    this.attemptTimer?.stop();
    try {
      const issued = await this.ask();
      if (!this.isStopped) this.take(issued);
    } catch (error) {
      if (!this.isStopped) this.onFailure(error);
    } finally {
      this.isAsking = false;
    }
  }

  private async ask(): Promise<IssuedChain> {
    const { clock } = this.host;
    const { spiffeId, ttlSeconds } = this.config;
    const key = generateWorkloadKey();
    const request = { csr: buildCsr(key, spiffeId), ttlSeconds };
    const chain = await requestCertificate(this.endpoint(), this.credential(), request, clock);
    return readIssuedChain(chain, key, spiffeId, clock);
  }

  private endpoint(): CaEndpoint {
    const { caCluster } = this.config;
    const host = this.host.clusters.get(caCluster)?.hosts[0];
    if (host === undefined)
      throw new WeftError('WEFT0764', `the cluster "${caCluster}" of the authority has no endpoint`);
    if (host.tls === null) {
      const problem = `the cluster "${caCluster}" of the authority has no TLS, so the join token is not sent; add a transport socket`;
      throw new WeftError('WEFT0764', problem);
    }
    return {
      host: host.address,
      port: host.port,
      tls: host.tls,
      names: { ...host.tlsNames, preamble: host.proxyHeader?.forNobody, alpnFallback: ['h2'] },
    };
  }

  private credential(): Credential {
    const hasCertificate = this.cell.current !== null && this.state.status === 'valid';
    return hasCertificate && !this.prefersToken ? { certificate: this.cell } : { tokenFile: this.config.tokenFile };
  }

  private take(issued: IssuedChain): void {
    const { clock, secrets, log } = this.host;
    const { leaf } = issued.material;
    this.current = issued;
    this.problem = '';
    this.failures = 0;
    this.prefersToken = false;
    this.putRoots(issued.roots);
    secrets.put(makeSecret(this.context(certificateName), { certificate: issued.material }));
    const expires = new Date(leaf.notAfterMs).toISOString();
    log.info('workload certificate received', { identity: this.config.spiffeId, serial: leaf.serial, expires });
    this.planRenewal(leaf);
    this.expiryTimer?.stop();
    this.expiryTimer = startWallTimer(clock, { atMs: leaf.notAfterMs }, onExpiry, this);
  }

  private onFailure(error: unknown): void {
    const { log } = this.host;
    const usedCertificate = 'certificate' in this.credential();
    this.prefersToken = error instanceof GrpcCallError && error.code === grpcStatus.unauthenticated && usedCertificate;
    this.problem = messageOf(error);
    this.failures++;
    const ceilingMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(this.failures - 1, 16));
    const delayMs = Math.round(ceilingMs * (0.5 + 0.5 * this.random()));
    const fields = { identity: this.config.spiffeId, error, delayMs, attempt: this.failures };
    const { status, notAfterMs } = this.state;
    if (status === 'valid') {
      const expires = new Date(notAfterMs).toISOString();
      log.warn('the workload certificate could not be renewed; the present one stays in use until it expires', {
        ...fields,
        expires,
      });
    } else
      log.error(
        'the workload has no valid certificate and could not get one; nothing is sent in the clear instead',
        fields,
      );
    this.plan(delayMs);
  }

  /** Called by the timer: an expired certificate is taken out of use, so that nothing starts with it. */
  expire(): void {
    if (this.isStopped) return;
    const { log, secrets } = this.host;
    log.error('the workload certificate expired; connections are refused until a new one is here', {
      identity: this.config.spiffeId,
      reason: this.problem,
    });
    secrets.drop(certificateName);
  }

  private planRenewal({ notBeforeMs, notAfterMs }: CertificateFacts): void {
    const { clock } = this.host;
    const nowMs = clock.wallMs();
    // Jitter keeps workloads that started together from renewing together.
    const atMs = nowMs + (notAfterMs - nowMs) * (0.45 + 0.1 * this.random());
    this.attemptTimer?.stop();
    this.attemptTimer = startWallTimer(clock, { atMs, notBeforeMs }, onAttempt, this);
  }

  private plan(delayMs: number): void {
    this.attemptTimer?.stop();
    this.attemptTimer = this.host.clock.start(delayMs, onAttempt, this);
  }

  private context(name: string): SecretContext {
    return { name, version: 'identity', clock: this.host.clock };
  }

  /** The roots of the file, which may have changed, and those that the authority sent. */
  private putRoots(sent: readonly Buffer[]): void {
    const roots: Buffer[] = [];
    for (const der of [...this.readBundle(), ...sent]) if (!roots.some((root) => root.equals(der))) roots.push(der);
    const rootsPem = roots.map((der) => formatPem('CERTIFICATE', der)).join('');
    if (rootsPem === this.host.secrets.get(rootsName)?.trust?.rootsPem) return;
    const trust = rootsOnly(rootsPem, roots.map(parseCertificate));
    this.host.secrets.put(makeSecret(this.context(rootsName), { trust }));
  }

  private readBundle(): Buffer[] {
    try {
      return parseCertificatePem(readFileSync(this.config.bundleFile, 'utf8'));
    } catch (error) {
      this.host.log.warn('the trust bundle cannot be read, the roots known so far stay', {
        file: this.config.bundleFile,
        error,
      });
      return (this.host.secrets.get(rootsName)?.trust?.roots ?? []).map(({ der }) => der);
    }
  }
}

function onAttempt(identity: WorkloadIdentity): void {
  void identity.renew();
}

function onExpiry(identity: WorkloadIdentity): void {
  identity.expire();
}
