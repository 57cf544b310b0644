// What both ends of TLS share: versions, ciphers, curves, ALPN, and where certificate and trust come from.

import type { SecureContextOptions, SecureVersion } from 'node:tls';
import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { nodeTls } from '@weft/lib/lazy-node';
import { type IssueSink, refuseFields, reportError, sinkAt } from './data-source.ts';
import { type CertificateMaterial, mergeTrust, type Secret, type TrustMaterial } from './secret.ts';
import type { SecretCell, SecretSet } from './secret-set.ts';

type CommonTlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
type TlsParameters = envoy.extensions.transport_sockets.tls.v3.TlsParameters;
type ValidationContext = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;

// The smallest strong suite first: AES-128-GCM costs the least and is Envoy's first choice too.
const tls13Ciphers = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
const tls12Ciphers = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
// Explicit, since OpenSSL's own choice starts with a hybrid exchange that makes every ClientHello a kilobyte larger.
const defaultCurves = 'X25519:P-256:P-384';

/** Compiled `CommonTlsContext`: fixed parameters, and cells whose content rotates. */
export class TlsSettings {
  readonly parameters: SecureContextOptions;
  readonly alpnProtocols: readonly string[];
  readonly certificates: readonly SecretCell[];
  /** Null when the configuration asks for no verification at all. */
  readonly trust: TrustSource | null;
  /** Of servers that share their session tickets with others, or keep them over a restart. */
  readonly ticketKeys: SecretCell | null;

  constructor(
    parameters: SecureContextOptions,
    alpnProtocols: readonly string[],
    certificates: readonly SecretCell[],
    trust: TrustSource | null,
    ticketKeys: SecretCell | null = null,
  ) {
    this.parameters = parameters;
    this.alpnProtocols = alpnProtocols;
    this.certificates = certificates;
    this.trust = trust;
    this.ticketKeys = ticketKeys;
  }

  /** The same with ticket keys. */
  withTicketKeys(ticketKeys: SecretCell): TlsSettings {
    return new TlsSettings(this.parameters, this.alpnProtocols, this.certificates, this.trust, ticketKeys);
  }

  /** Names of the secrets that come from elsewhere. */
  get secretNames(): string[] {
    const cells = [...this.certificates, this.trust?.sent ?? null, this.ticketKeys];
    return cells.map((cell) => cell?.name ?? '').filter((name) => name !== '');
  }
}

/** Rules from the context itself, from a secret, or from both together. */
export interface TrustSource {
  readonly own: SecretCell | null;
  readonly sent: SecretCell | null;
}

/** Everything a context was built from at one moment; compared by identity to notice a rotation. */
export interface TlsMaterial {
  readonly certificates: readonly CertificateMaterial[];
  readonly trust: TrustMaterial | null;
  readonly ticketSecret: Buffer | null;
}

/** Compiles; null after reporting an error that leaves nothing to work with. */
export function compileTlsSettings(common: CommonTlsContext, secrets: SecretSet, sink: IssueSink): TlsSettings | null {
  const before = sink.issues.length;
  refuseFields(common, unsupportedFields, sink);
  const parameters = compileParameters(common.tlsParams ?? {}, sinkAt(sink, 'tls_params'));
  const certificates = compileCertificates(common, secrets, sink);
  const trust = compileTrustSource(common, secrets, sink);
  const alpn = compileAlpn(common.alpnProtocols ?? [], sinkAt(sink, 'alpn_protocols'));
  if (sink.issues.slice(before).some((issue) => issue.level === 'error')) return null;
  return new TlsSettings(parameters, alpn, certificates, trust);
}

const unsupportedFields = {
  tlsCertificateProviderInstance: 'tls_certificate_provider_instance',
  tlsCertificateCertificateProvider: 'tls_certificate_certificate_provider',
  tlsCertificateCertificateProviderInstance: 'tls_certificate_certificate_provider_instance',
  validationContextCertificateProvider: 'validation_context_certificate_provider',
  validationContextCertificateProviderInstance: 'validation_context_certificate_provider_instance',
  customHandshaker: 'custom_handshaker',
  keyLog: 'key_log',
} as const;

function compileCertificates(common: CommonTlsContext, secrets: SecretSet, sink: IssueSink): SecretCell[] {
  const cells: (SecretCell | null)[] = [];
  for (const [i, own] of (common.tlsCertificates ?? []).entries()) {
    cells.push(secrets.ownCertificate(own, sinkAt(sink, `tls_certificates[${i}]`)));
  }
  for (const [i, config] of (common.tlsCertificateSdsSecretConfigs ?? []).entries()) {
    cells.push(secrets.reference(config, sinkAt(sink, `tls_certificate_sds_secret_configs[${i}]`)));
  }
  return cells.filter((cell) => cell !== null);
}

function compileTrustSource(common: CommonTlsContext, secrets: SecretSet, sink: IssueSink): TrustSource | null {
  const { validationContext, validationContextSdsSecretConfig, combinedValidationContext } = common;
  if (validationContext !== undefined) return ownTrust(validationContext, secrets, sinkAt(sink, 'validation_context'));
  if (validationContextSdsSecretConfig !== undefined) {
    const at = sinkAt(sink, 'validation_context_sds_secret_config');
    return { own: null, sent: secrets.reference(validationContextSdsSecretConfig, at) };
  }
  if (combinedValidationContext === undefined) return null;
  const at = sinkAt(sink, 'combined_validation_context');
  const { defaultValidationContext, validationContextSdsSecretConfig: config } = combinedValidationContext;
  if (config === undefined) {
    return reportError(at, 'WEFT0710', 'validation_context_sds_secret_config is missing; name the secret');
  }
  const own = secrets.ownTrust(defaultValidationContext ?? {}, sinkAt(at, 'default_validation_context'));
  return { own, sent: secrets.reference(config, sinkAt(at, 'validation_context_sds_secret_config')) };
}

function ownTrust(context: ValidationContext, secrets: SecretSet, sink: IssueSink): TrustSource {
  const own = secrets.ownTrust(context, sink);
  const trust = own?.current?.trust;
  if (trust !== null && trust !== undefined && trust.sanMatchers.length > 0 && !hasRoots(trust)) {
    const problem = 'names are only worth matching in a certificate that was verified; add trusted_ca';
    reportError(sink, 'WEFT0714', problem);
  }
  return { own, sent: null };
}

/** Whether a chain can be verified at all. */
export function hasRoots(trust: TrustMaterial): boolean {
  return trust.rootsPem !== null || trust.useSystemRoots;
}

/** Whether an empty rule set asks for no verification, as Envoy's `validation_context: {}` does. */
export function wantsVerification(trust: TrustMaterial): boolean {
  return hasRoots(trust) || trust.pins.certificates.length > 0 || trust.pins.publicKeys.length > 0;
}

/** Reads the cells; the material is a new object exactly when a secret changed, so that a handshake compares one pointer. */
export class MaterialReader {
  private readonly settings: TlsSettings;
  private readonly cells: readonly SecretCell[];
  private readonly seen: (Secret | null)[];
  private material: TlsMaterial | null = null;
  /** The first secret that has not arrived, while `read` says null. */
  missing = '';

  constructor(settings: TlsSettings) {
    this.settings = settings;
    const { trust } = settings;
    const cells = [...settings.certificates, trust?.own ?? null, trust?.sent ?? null, settings.ticketKeys];
    this.cells = cells.filter((cell) => cell !== null);
    this.seen = this.cells.map(() => null);
  }

  /** What the cells hold now, or null when a secret is missing. */
  read(): TlsMaterial | null {
    let changed = false;
    for (let i = 0; i < this.cells.length; i++) {
      const current = (this.cells[i] as SecretCell).current;
      if (current === this.seen[i]) continue;
      this.seen[i] = current;
      changed = true;
    }
    if (changed || (this.material === null && this.cells.length === 0)) this.material = this.gather();
    return this.material;
  }

  private gather(): TlsMaterial | null {
    const certificates: CertificateMaterial[] = [];
    for (const cell of this.settings.certificates) {
      const certificate = cell.current?.certificate ?? null;
      if (certificate === null) return this.lacks(cell);
      certificates.push(certificate);
    }
    const { trust, ticketKeys } = this.settings;
    const ticketSecret = ticketKeys?.current?.ticketSecret ?? null;
    if (ticketKeys !== null && ticketSecret === null) return this.lacks(ticketKeys);
    const own = trust?.own?.current?.trust ?? null;
    if (trust === null || trust.sent === null) return { certificates, trust: own, ticketSecret };
    const sent = trust.sent.current?.trust ?? null;
    if (sent === null) return this.lacks(trust.sent);
    const merged = own === null ? sent : mergeTrust(own, sent);
    // Names without roots to verify them by would let anyone in who writes the right name into a certificate.
    if (merged.sanMatchers.length > 0 && !hasRoots(merged)) return this.lacks(trust.sent);
    return { certificates, trust: merged, ticketSecret };
  }

  private lacks(cell: SecretCell): null {
    this.missing = cell.name;
    return null;
  }
}

function compileParameters(config: TlsParameters, sink: IssueSink): SecureContextOptions {
  // Envoy's clients stop at TLS 1.2 unless told otherwise; ours may use 1.3, which every current server speaks.
  const minVersion = compileVersion(
    config.tlsMinimumProtocolVersion,
    'TLSv1.2',
    sinkAt(sink, 'tls_minimum_protocol_version'),
  );
  const maxVersion = compileVersion(
    config.tlsMaximumProtocolVersion,
    'TLSv1.3',
    sinkAt(sink, 'tls_maximum_protocol_version'),
  );
  const parameters: SecureContextOptions = {
    minVersion,
    maxVersion,
    ciphers: compileCiphers(config.cipherSuites ?? [], sinkAt(sink, 'cipher_suites')),
    ecdhCurve: config.ecdhCurves === undefined ? defaultCurves : config.ecdhCurves.join(':'),
  };
  if (config.signatureAlgorithms !== undefined) parameters.sigalgs = config.signatureAlgorithms.join(':');
  if (minVersion > maxVersion) {
    reportError(sink, 'WEFT0713', `the minimum version ${minVersion} is above the maximum ${maxVersion}`);
    return parameters;
  }
  try {
    nodeTls().createSecureContext(parameters);
  } catch (error) {
    reportError(sink, 'WEFT0715', `OpenSSL refuses these parameters: ${messageOf(error)}`);
  }
  return parameters;
}

function compileVersion(version: string | number | undefined, fallback: SecureVersion, sink: IssueSink): SecureVersion {
  if (version === undefined || version === 'TLS_AUTO') return fallback;
  if (version === 'TLSv1_2') return 'TLSv1.2';
  if (version === 'TLSv1_3') return 'TLSv1.3';
  reportError(sink, 'WEFT0713', `${version} is not supported, being no longer safe; use TLSv1_2 or TLSv1_3`);
  return fallback;
}

/** `cipher_suites` speaks of TLS 1.2 only, as in Envoy; groups of equal preference (`[A|B]`) are taken in their order. */
function compileCiphers(suites: readonly string[], sink: IssueSink): string {
  if (suites.length === 0) return `${tls13Ciphers}:${tls12Ciphers}`;
  const known = new Set(nodeTls().getCiphers());
  const names = suites.flatMap((suite) => suite.replaceAll(/[[\]]/g, '').split('|'));
  for (const name of names) {
    if (known.has(name.toLowerCase())) continue;
    reportError(sink, 'WEFT0715', `"${name}" is no cipher suite that this build knows; use OpenSSL's names`);
  }
  return `${tls13Ciphers}:${names.filter((name) => !name.startsWith('TLS_')).join(':')}`;
}

function compileAlpn(protocols: readonly string[], sink: IssueSink): readonly string[] {
  for (const protocol of protocols) {
    const length = Buffer.byteLength(protocol);
    if (length === 0 || length > 255) reportError(sink, 'WEFT0716', `"${protocol}" is not between 1 and 255 bytes`);
  }
  return protocols;
}
