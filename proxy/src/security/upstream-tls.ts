// TLS towards endpoints: opens a verified connection, or one that ends with an error saying why it was refused.

import { connect, isIP, type NetConnectOpts, Socket } from 'node:net';
import type { ConnectionOptions, PeerCertificate, SecureContext, TLSSocket } from 'node:tls';
import type { envoy } from '@weft/api/xds/types';
import { WeftError } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import { nodeTls } from '@weft/lib/lazy-node';
import type { Scope } from '@weft/lib/metrics';
import type { CertificateFacts } from '@weft/lib/x509/certificate';
import { type IssueSink, refuseFields, reportError, sinkAt } from './data-source.ts';
import { chainErrorOf, contextOptions, forbidRenegotiation } from './handshake-server.ts';
import { peerCertificate, rememberPeer } from './peer.ts';
import { judgePeer, readPeerCertificate } from './peer-verdict.ts';
import type { TrustMaterial } from './secret.ts';
import type { SecretCell, SecretSet } from './secret-set.ts';
import { SessionStore, type StoredSession } from './tls-session-store.ts';
import {
  compileTlsSettings,
  hasRoots,
  MaterialReader,
  type TlsMaterial,
  TlsSettings,
  wantsVerification,
} from './tls-settings.ts';
import { TlsStats } from './tls-stats.ts';

type UpstreamTlsContext = envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;

/** Where to connect to: a socket that is connected or connecting, or an address. */
export type UpstreamTarget =
  | { readonly socket: Socket }
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** What one request or endpoint adds to the cluster's own settings. */
export interface UpstreamNames {
  /** Server name in place of the configured one (`auto_sni`). */
  readonly serverName?: string | undefined;
  /** A host that the certificate must cover as well (`auto_san_validation`). */
  readonly expectedHost?: string | undefined;
  /** Offered in place of the configured protocols. */
  readonly alpnProtocols?: readonly string[] | undefined;
  /** Offered where neither that nor the configuration says anything. */
  readonly alpnFallback?: readonly string[] | undefined;
  /** What is sent in the clear before the handshake. */
  readonly preamble?: Buffer | undefined;
  /** Whether we may go on sending when the server has ended; else its end is ours. */
  readonly allowHalfOpen?: boolean | undefined;
}

/** What one version of the secrets makes. */
interface Version {
  readonly material: TlsMaterial;
  readonly context: SecureContext;
  readonly trust: TrustMaterial | null;
  readonly sessions: SessionStore;
}

/** One connection on its way. */
interface Attempt {
  readonly version: Version;
  readonly serverName: string;
  readonly sessionKey: string;
  readonly resumes: StoredSession | null;
  readonly expectedHost: string | null;
  readonly alpnProtocols: readonly string[];
}

/** One compiled `UpstreamTlsContext`. */
export class UpstreamTls {
  /** Configured server name, empty when there is none. */
  readonly serverName: string;
  private readonly settings: TlsSettings;
  private readonly context: UpstreamTlsContext;
  private readonly secrets: SecretSet;
  private readonly stats: TlsStats;
  private readonly maxSessions: number;
  private readonly reader: MaterialReader;
  private version: Version | null = null;

  constructor(settings: TlsSettings, context: UpstreamTlsContext, secrets: SecretSet, stats: TlsStats) {
    this.settings = settings;
    this.context = context;
    this.serverName = context.sni ?? '';
    this.maxSessions = context.maxSessionKeys ?? 1;
    this.secrets = secrets;
    this.stats = stats;
    this.reader = new MaterialReader(settings);
  }

  get alpnProtocols(): readonly string[] {
    return this.settings.alpnProtocols;
  }

  /** Names of the secrets it needs from elsewhere, for warming. */
  get secretNames(): readonly string[] {
    return this.settings.secretNames;
  }

  /** Whether every secret is there. While it is not, every connection fails. */
  get isReady(): boolean {
    return this.currentVersion() !== null;
  }

  /** The same settings with that client certificate in place of the configured one. */
  presenting(certificate: SecretCell): UpstreamTls {
    const { parameters, alpnProtocols, trust } = this.settings;
    const settings = new TlsSettings(parameters, alpnProtocols, [certificate], trust);
    return new UpstreamTls(settings, this.context, this.secrets, this.stats);
  }

  /**
   * Starts a handshake. Wait for `secureConnect` (every check is done then, `peerCertificate` is there) or `error`.
   * Without secrets the socket fails with `WEFT0718`; nothing is ever sent in the clear.
   */
  connect(target: UpstreamTarget, names: UpstreamNames = {}): TLSSocket {
    const version = this.currentVersion();
    if (version === null) return this.refuse(target);
    const attempt = this.attempt(target, names, version);
    const allowHalfOpen = names.allowHalfOpen === true;
    const towards = names.preamble === undefined ? target : openWith(target, names.preamble, allowHalfOpen);
    const options = { ...(towards as NetConnectOpts), ...this.connectOptions(attempt), allowHalfOpen };
    const socket = nodeTls().connect(options);
    this.observe(socket, attempt);
    return socket;
  }

  private attempt(target: UpstreamTarget, names: UpstreamNames, version: Version): Attempt {
    const wanted = names.serverName ?? this.serverName;
    // RFC 6066 §3: an address is no server name.
    const serverName = isIP(wanted) === 0 ? wanted : '';
    const sessionKey = serverName || ('host' in target ? target.host : '');
    const resumes = version.sessions.take(sessionKey, this.secrets.clock.wallMs());
    return {
      version,
      serverName,
      sessionKey,
      resumes,
      expectedHost: names.expectedHost ?? null,
      alpnProtocols:
        names.alpnProtocols ?? (this.alpnProtocols.length > 0 ? this.alpnProtocols : (names.alpnFallback ?? [])),
    };
  }

  private connectOptions(attempt: Attempt): ConnectionOptions {
    const { context, trust } = attempt.version;
    const options: ConnectionOptions = {
      secureContext: context,
      // Node's own refusal comes before `secureConnect`. Pins alone need no chain; `observe` holds them.
      rejectUnauthorized: trust !== null && hasRoots(trust) && !trust.acceptUntrusted,
      checkServerIdentity: (_host, certificate) => this.checkPeer(certificate, attempt),
    };
    if (attempt.alpnProtocols.length > 0) options.ALPNProtocols = [...attempt.alpnProtocols];
    if (attempt.serverName !== '') options.servername = attempt.serverName;
    if (attempt.resumes !== null) options.session = attempt.resumes.session;
    return options;
  }

  /** Called by Node once the chain has verified, for a full handshake. */
  private checkPeer(certificate: PeerCertificate, { version, expectedHost }: Attempt): Error | undefined {
    const { trust } = version;
    if (trust === null || !hasRoots(trust) || trust.acceptUntrusted) return undefined;
    const facts = readPeerCertificate(certificate.raw);
    const reason = typeof facts === 'string' ? facts : this.judge(facts, trust, { chainError: null, expectedHost });
    return reason === null ? undefined : new WeftError('WEFT0719', reason);
  }

  private judge(
    facts: CertificateFacts,
    trust: TrustMaterial,
    about: { chainError: string | null; expectedHost: string | null },
  ): string | null {
    return judgePeer({ facts, ...about, nowMs: this.secrets.clock.wallMs() }, trust, this.stats);
  }

  private observe(socket: TLSSocket, attempt: Attempt): void {
    const { stats } = this;
    const onError = (error: Error): void => {
      stats.connectionError.inc();
      const isOurs = error instanceof WeftError;
      if (!isOurs && socket.authorizationError) stats.failVerifyError.inc();
    };
    socket.once('error', onError);
    // First among the listeners: a peer that fails here is closed before anyone writes to it.
    socket.once('secureConnect', () => {
      socket.removeListener('error', onError);
      this.onSecure(socket, attempt);
    });
    // Comes after `secureConnect`, so the certificate is known.
    socket.on('session', (session) => {
      const facts = peerCertificate(socket)?.facts ?? null;
      if (!socket.destroyed) attempt.version.sessions.keep(attempt.sessionKey, { session, facts });
    });
  }

  private onSecure(socket: TLSSocket, attempt: Attempt): void {
    const { stats } = this;
    stats.handshake.inc();
    forbidRenegotiation(socket, stats);
    if (socket.isSessionReused()) stats.sessionReused.inc();
    const { trust } = attempt.version;
    if (trust === null || !wantsVerification(trust) || trust.acceptUntrusted) return;
    const reason = this.verify(socket, trust, attempt);
    if (reason === null) return;
    stats.connectionError.inc();
    socket.destroy(new WeftError('WEFT0719', reason));
  }

  /** Also runs for resumed sessions, which Node does not have checked, and for pins without roots. */
  private verify(socket: TLSSocket, trust: TrustMaterial, { resumes, expectedHost }: Attempt): string | null {
    const facts = socket.isSessionReused() ? (resumes?.facts ?? null) : shownCertificate(socket);
    if (facts === null) return 'the server showed no certificate';
    if (typeof facts === 'string') return facts;
    const chainError = socket.authorized || !hasRoots(trust) ? null : chainErrorOf(socket);
    const reason = this.judge(facts, trust, { chainError, expectedHost });
    if (reason === null) rememberPeer(socket, facts);
    return reason;
  }

  private refuse(target: UpstreamTarget): TLSSocket {
    this.stats.contextNotReady.inc();
    if ('socket' in target) target.socket.destroy();
    const socket = new (nodeTls().TLSSocket)(new Socket());
    const reason = `the secret "${this.reader.missing}" has not arrived or does not fit, so no connection can be opened yet`;
    socket.destroy(new WeftError('WEFT0718', reason));
    return socket;
  }

  private currentVersion(): Version | null {
    const material = this.reader.read();
    if (material === null) return null;
    if (this.version?.material === material) return this.version;
    try {
      this.version = this.build(material);
    } catch (error) {
      this.secrets.log.error('the new certificates make no TLS context, the old ones stay in use', { error });
    }
    return this.version;
  }

  private build(material: TlsMaterial): Version {
    const options = contextOptions(this.settings.parameters, material.trust, null);
    const certificate = material.certificates[0];
    if (certificate !== undefined) {
      options.cert = certificate.chainPem;
      options.key = certificate.keyPem;
      if (certificate.passphrase !== undefined) options.passphrase = certificate.passphrase;
    }
    const context = nodeTls().createSecureContext(options);
    // Sessions do not outlive the secrets they were made with: a resumed one shows and checks the old certificates.
    return { material, context, trust: material.trust, sessions: new SessionStore(this.maxSessions) };
  }
}

// Bytes written to a socket that is connecting leave it before the handshake begins.
function openWith(target: UpstreamTarget, preamble: Buffer, allowHalfOpen: boolean): UpstreamTarget {
  const socket = 'socket' in target ? target.socket : connect({ ...target, noDelay: true, allowHalfOpen });
  socket.write(preamble);
  return { socket };
}

function shownCertificate(socket: TLSSocket): CertificateFacts | string | null {
  const der = socket.getPeerX509Certificate()?.raw;
  return der === undefined ? null : readPeerCertificate(der);
}

/** Compiles a cluster's TLS; null after reporting errors. */
export function compileUpstreamTls(
  context: UpstreamTlsContext,
  secrets: SecretSet,
  issues: Issue[],
  path: string,
  scope?: Scope,
): UpstreamTls | null {
  const sink: IssueSink = { issues, path };
  const before = issues.length;
  refuseFields(context, { allowRenegotiation: 'allow_renegotiation' }, sink);
  const commonSink = sinkAt(sink, 'common_tls_context');
  const settings = compileTlsSettings(context.commonTlsContext ?? {}, secrets, commonSink);
  if (settings !== null && settings.certificates.length > 1) {
    reportError(commonSink, 'WEFT0717', 'a client shows one certificate; leave only one');
  }
  if (settings === null || issues.slice(before).some((issue) => issue.level === 'error')) return null;
  return new UpstreamTls(settings, context, secrets, new TlsStats(scope, 'upstream'));
}
