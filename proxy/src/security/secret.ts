// A secret made ready for use: certificate and key that belong together, or the rules by which a peer is trusted.

import type { KeyObject } from 'node:crypto';
import type { envoy } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import { messageOf } from '@weft/lib/error';
import { nodeCrypto, nodeTls } from '@weft/lib/lazy-node';
import { type CertificateFacts, parseCertificate } from '@weft/lib/x509/certificate';
import { describeKeyProblem } from '@weft/lib/x509/key-problem';
import { formatPem, parseCertificatePem, parsePem } from '@weft/lib/x509/pem';
import {
  filesOf,
  type IssueSink,
  placeOf,
  readDataBytes,
  readDataSource,
  refuseFields,
  reportError,
  reportWarning,
  sinkAt,
} from './data-source.ts';
import { compilePins, compileSanMatchers, type Pins, type SanMatcher } from './san-match.ts';

type SecretMessage = envoy.extensions.transport_sockets.tls.v3.Secret;
type TlsCertificateMessage = envoy.extensions.transport_sockets.tls.v3.TlsCertificate;
type TicketKeysMessage = envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys;
type ValidationContextMessage = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;

/** A certificate chain and its key. */
export interface CertificateMaterial {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly passphrase: string | undefined;
  readonly leaf: CertificateFacts;
  /** The whole chain, leaf first. */
  readonly chain: readonly CertificateFacts[];
  /** `ec`, `rsa`, `ed25519` ...: one server can hold one certificate of each kind per name. */
  readonly keyType: string;
}

/** The rules for a peer's certificate. */
export interface TrustMaterial {
  /** Roots in PEM; null when there are none. */
  readonly rootsPem: string | null;
  readonly roots: readonly CertificateFacts[];
  readonly useSystemRoots: boolean;
  /** Lists of revoked certificates in PEM; null when there are none. */
  readonly crlPem: string | null;
  readonly sanMatchers: readonly SanMatcher[];
  readonly pins: Pins;
  /** Let a peer in whose chain does not verify; its names then count for nothing. */
  readonly acceptUntrusted: boolean;
  /** All of the message but what it reads from elsewhere, as text: tells versions apart whose roots are the same. */
  readonly rulesText: string;
}

/** Immutable: a rotation makes a new one, so identity tells versions apart. */
export interface Secret {
  readonly name: string;
  /** The xDS version, `file`, `static` or `identity`. */
  readonly version: string;
  readonly updatedWallMs: number;
  readonly certificate: CertificateMaterial | null;
  readonly trust: TrustMaterial | null;
  /** From which the keys of session tickets are made. */
  readonly ticketSecret: Buffer | null;
  /** Files to watch, empty when it came inline. */
  readonly files: readonly string[];
}

/** What a compilation knows besides the message. */
export interface SecretContext {
  readonly name: string;
  readonly version: string;
  readonly clock: Clock;
}

/** The secret, or null after reporting everything that is wrong with it. */
export function compileSecret(message: SecretMessage, context: SecretContext, sink: IssueSink): Secret | null {
  if (message.tlsCertificate !== undefined) {
    return compileCertificateSecret(message.tlsCertificate, context, sinkAt(sink, 'tls_certificate'));
  }
  if (message.validationContext !== undefined) {
    return compileTrustSecret(message.validationContext, context, sinkAt(sink, 'validation_context'));
  }
  if (message.sessionTicketKeys !== undefined) {
    return compileTicketSecret(message.sessionTicketKeys, context, sinkAt(sink, 'session_ticket_keys'));
  }
  return reportError(
    sink,
    'WEFT0702',
    'the secret holds none of tls_certificate, validation_context and session_ticket_keys; send one of them',
  );
}

/** Envoy's keys have this size: a name, a key for the tag, a key for the content. */
const ticketKeyBytes = 80;

/** A secret of ticket keys. The first one seals; what older ones sealed is not resumed, which costs those clients a full handshake. */
export function compileTicketSecret(
  message: TicketKeysMessage,
  context: SecretContext,
  sink: IssueSink,
): Secret | null {
  const sources = message.keys ?? [];
  if (sources.length === 0) return reportError(sink, 'WEFT0843', 'there is no key; give at least one');
  const keys = sources.map((source, i) => readTicketKey(source, sinkAt(sink, `keys[${i}]`)));
  if (keys.some((key) => key === null)) return null;
  if (keys.length > 1) {
    const problem = 'sessions sealed by any but the first key are not resumed; those clients make a full handshake';
    reportWarning(sinkAt(sink, 'keys'), 'WEFT0844', problem);
  }
  const [ticketSecret] = keys;
  return makeSecret(context, { ticketSecret: ticketSecret ?? null, files: filesOf(...sources) });
}

function readTicketKey(source: envoy.config.core.v3.DataSource, sink: IssueSink): Buffer | null {
  const key = readDataBytes(source, sink);
  if (key === null || key.length === ticketKeyBytes) return key;
  return reportError(
    sink,
    'WEFT0843',
    `a key has ${ticketKeyBytes} bytes, this one${placeOf(source)} ${key.length}; make them at random`,
  );
}

/** A secret of a certificate and key. */
export function compileCertificateSecret(
  message: TlsCertificateMessage,
  context: SecretContext,
  sink: IssueSink,
): Secret | null {
  const certificate = compileCertificate(message, context.clock, sink);
  if (certificate === null) return null;
  const directory = message.watchedDirectory?.path;
  const files = filesOf(message.certificateChain, message.privateKey, message.password);
  return makeSecret(context, { certificate, files: directory === undefined ? files : [...files, `${directory}/.`] });
}

/** A secret of rules for peers. */
export function compileTrustSecret(
  message: ValidationContextMessage,
  context: SecretContext,
  sink: IssueSink,
): Secret | null {
  const before = sink.issues.length;
  const trust = compileTrust(message, context.clock, sink);
  if (sink.issues.slice(before).some((issue) => issue.level === 'error')) return null;
  const directory = message.watchedDirectory?.path;
  const files = filesOf(message.trustedCa, message.crl);
  return makeSecret(context, { trust, files: directory === undefined ? files : [...files, `${directory}/.`] });
}

/** A secret from parts that are known to be good, such as the workload's own identity. */
export function makeSecret(
  context: SecretContext,
  parts: {
    certificate?: CertificateMaterial;
    trust?: TrustMaterial;
    ticketSecret?: Buffer | null;
    files?: readonly string[];
  },
): Secret {
  return {
    name: context.name,
    version: context.version,
    updatedWallMs: context.clock.wallMs(),
    certificate: parts.certificate ?? null,
    trust: parts.trust ?? null,
    ticketSecret: parts.ticketSecret ?? null,
    files: parts.files ?? [],
  };
}

const unsupportedCertificateFields = {
  pkcs12: 'pkcs12',
  privateKeyProvider: 'private_key_provider',
  ocspStaple: 'ocsp_staple',
  signedCertificateTimestamp: 'signed_certificate_timestamp',
} as const;

// OpenSSL reports only the last problem of a chain: "expired" may hide "not signed by a trusted root", so
// `allow_expired_certificate` cannot be carried out safely.
const unsupportedTrustFields = {
  allowExpiredCertificate: 'allow_expired_certificate',
  caCertificateProviderInstance: 'ca_certificate_provider_instance',
  customValidatorConfig: 'custom_validator_config',
  maxVerifyDepth: 'max_verify_depth',
  onlyVerifyLeafCertCrl: 'only_verify_leaf_cert_crl',
  requireSignedCertificateTimestamp: 'require_signed_certificate_timestamp',
} as const;

function compileCertificate(message: TlsCertificateMessage, clock: Clock, sink: IssueSink): CertificateMaterial | null {
  refuseFields(message, unsupportedCertificateFields, sink);
  const { certificateChain, privateKey, password } = message;
  if (certificateChain === undefined) reportError(sink, 'WEFT0703', 'certificate_chain is missing');
  if (privateKey === undefined) reportError(sink, 'WEFT0703', 'private_key is missing');
  if (certificateChain === undefined || privateKey === undefined) return null;
  const chainPem = readDataSource(certificateChain, sinkAt(sink, 'certificate_chain'));
  const keyPem = readDataSource(privateKey, sinkAt(sink, 'private_key'));
  const passphrase = password === undefined ? undefined : readDataSource(password, sinkAt(sink, 'password'));
  if (chainPem === null || keyPem === null || passphrase === null) return null;
  const pem = { chainPem, keyPem, passphrase: passphrase?.trimEnd() };
  return pairCertificate(pem, clock, sink, { chain: placeOf(certificateChain), key: placeOf(privateKey) });
}

/** Where the parts were found, for messages. */
interface Places {
  readonly chain: string;
  readonly key: string;
}

/** Checks that the parts are readable, fit each other and are in date. */
export function pairCertificate(
  pem: { chainPem: string; keyPem: string; passphrase?: string | undefined },
  clock: Clock,
  sink: IssueSink,
  places: Places = { chain: '', key: '' },
): CertificateMaterial | null {
  const chain = parseChain(pem.chainPem, places.chain, sinkAt(sink, 'certificate_chain'));
  const key = parseKey(pem, places.key, sinkAt(sink, 'private_key'));
  const leaf = chain?.[0];
  if (chain === null || leaf === undefined || key === null) return null;
  if (!new (nodeCrypto().X509Certificate)(leaf.der).checkPrivateKey(key)) {
    const problem = `the private key${places.key} does not belong to the certificate of "${describeLeaf(leaf)}"${places.chain}; replace both together`;
    return reportError(sinkAt(sink, 'private_key'), 'WEFT0705', problem);
  }
  if (!checkDates(leaf, places.chain, clock, sinkAt(sink, 'certificate_chain'))) return null;
  const { chainPem, keyPem, passphrase } = pem;
  return { chainPem, keyPem, passphrase, leaf, chain, keyType: key.asymmetricKeyType ?? 'unknown' };
}

function parseChain(pem: string, place: string, sink: IssueSink): CertificateFacts[] | null {
  try {
    return parseCertificatePem(pem).map(parseCertificate);
  } catch (error) {
    const problem = pem.trim() === '' ? 'there is nothing' : messageOf(error);
    return reportError(sink, 'WEFT0704', `the certificates${place} cannot be read: ${problem}; give PEM, leaf first`);
  }
}

function parseKey(
  { keyPem: key, passphrase }: { keyPem: string; passphrase?: string | undefined },
  place: string,
  sink: IssueSink,
): KeyObject | null {
  try {
    return nodeCrypto().createPrivateKey(passphrase === undefined ? { key } : { key, passphrase });
  } catch {
    const problem = describeKeyProblem(key, passphrase !== undefined);
    return reportError(sink, 'WEFT0704', `the private key${place} cannot be read: ${problem}`);
  }
}

/** All lists, those of `crl` and those among the trusted certificates, as one text; null when there is none. */
function readRevocation(message: ValidationContextMessage, rootsPem: string, sink: IssueSink): string | null {
  const { crl, trustedCa } = message;
  const own = crl === undefined ? null : readDataSource(crl, sinkAt(sink, 'crl'));
  const lists: string[] = [];
  if (own !== null && isRevocation(own, placeOf(crl), sinkAt(sink, 'crl'))) lists.push(own);
  // As Envoy. Passed over, they would let in whom the file says to keep out.
  const blocks = parsePem(rootsPem).filter((block) => block.label === crlLabel);
  const among = blocks.map((block) => formatPem(crlLabel, block.der)).join('');
  if (among !== '' && isRevocation(among, placeOf(trustedCa), sinkAt(sink, 'trusted_ca'))) lists.push(among);
  return lists.length === 0 ? null : lists.join('\n');
}

const crlLabel = 'X509 CRL';

function isRevocation(crl: string, place: string, sink: IssueSink): boolean {
  try {
    nodeTls().createSecureContext({ crl });
    return true;
  } catch {
    reportError(sink, 'WEFT0704', `the revocation list${place} cannot be read; give it in PEM`);
    return false;
  }
}

function checkDates(leaf: CertificateFacts, place: string, clock: Clock, sink: IssueSink): boolean {
  const now = clock.wallMs();
  if (now >= leaf.notAfterMs) {
    const since = new Date(leaf.notAfterMs).toISOString();
    reportError(
      sink,
      'WEFT0706',
      `the certificate of "${describeLeaf(leaf)}"${place} expired at ${since}; issue a new one`,
    );
    return false;
  }
  if (now < leaf.notBeforeMs) {
    const from = new Date(leaf.notBeforeMs).toISOString();
    reportWarning(
      sink,
      'WEFT0707',
      `the certificate of "${describeLeaf(leaf)}"${place} is not valid before ${from}; check the clocks`,
    );
  }
  return true;
}

/** The name by which a person knows the certificate. */
export function describeLeaf(leaf: CertificateFacts): string {
  return leaf.names.uris[0] ?? leaf.names.dnsNames[0] ?? (leaf.subject || `serial ${leaf.serial}`);
}

function compileTrust(message: ValidationContextMessage, clock: Clock, sink: IssueSink): TrustMaterial {
  refuseFields(message, unsupportedTrustFields, sink);
  const rootsSink = sinkAt(sink, 'trusted_ca');
  const rootsPem = message.trustedCa === undefined ? null : readDataSource(message.trustedCa, rootsSink);
  const roots = rootsPem === null ? [] : (parseChain(rootsPem, placeOf(message.trustedCa), rootsSink) ?? []);
  if (roots.length > 0 && roots.every((root) => root.notAfterMs <= clock.wallMs())) {
    reportWarning(
      rootsSink,
      'WEFT0708',
      `every trusted certificate${placeOf(message.trustedCa)} has expired; no peer will be accepted until they are replaced`,
    );
  }
  const sanMatchers = compileSanMatchers(message, sink);
  return {
    rootsPem,
    roots,
    useSystemRoots: message.systemRootCerts !== undefined,
    crlPem: readRevocation(message, roots.length === 0 ? '' : (rootsPem ?? ''), sink),
    sanMatchers,
    pins: compilePins(message, sink),
    acceptUntrusted: message.trustChainVerification === 'ACCEPT_UNTRUSTED',
    rulesText: JSON.stringify({ ...message, trustedCa: undefined, crl: undefined }),
  };
}

/** Trust in these roots and nothing more. */
export function rootsOnly(rootsPem: string, roots: readonly CertificateFacts[]): TrustMaterial {
  return {
    rootsPem,
    roots,
    useSystemRoots: false,
    crlPem: null,
    sanMatchers: [],
    pins: { certificates: [], publicKeys: [] },
    acceptUntrusted: false,
    rulesText: '',
  };
}

/** The combined context: what SDS sent, added to what the listener or cluster says itself. */
export function mergeTrust(own: TrustMaterial, sent: TrustMaterial): TrustMaterial {
  return {
    rootsPem: sent.rootsPem ?? own.rootsPem,
    roots: sent.rootsPem === null ? own.roots : sent.roots,
    useSystemRoots: sent.useSystemRoots || own.useSystemRoots,
    crlPem: sent.crlPem ?? own.crlPem,
    sanMatchers: [...own.sanMatchers, ...sent.sanMatchers],
    pins: {
      certificates: [...own.pins.certificates, ...sent.pins.certificates],
      publicKeys: [...own.pins.publicKeys, ...sent.pins.publicKeys],
    },
    acceptUntrusted: sent.acceptUntrusted || own.acceptUntrusted,
    rulesText: own.rulesText + sent.rulesText,
  };
}
