// Server side of one version of the secrets. Built on a `tls.Server` that never listens: only it says whether a client's
// chain verified (`authorized`), and its documentation allows connections to be injected by the `connection` event.

import type { Duplex } from 'node:stream';
import type { SecureContext, SecureContextOptions, Server, TLSSocket, TlsOptions } from 'node:tls';
import { assert } from '@weft/lib/assert';
import type { Clock } from '@weft/lib/clock';
import { messageOf } from '@weft/lib/error';
import { nodeCrypto, nodeTls } from '@weft/lib/lazy-node';
import { peerCertificate, rememberPeer, type VerifiedPeer } from './peer.ts';
import { judgePeer, readPeerCertificate } from './peer-verdict.ts';
import type { CertificateMaterial, TrustMaterial } from './secret.ts';
import type { SecretSet } from './secret-set.ts';
import { sessionContext, ticketKeys } from './session-tickets.ts';
import {
  type CertificateGroup,
  compileSniChoice,
  hasChoice,
  pickByAlgorithm,
  pickCertificates,
  type SniChoice,
} from './sni-choice.ts';
import { hasRoots, type TlsMaterial, type TlsSettings, wantsVerification } from './tls-settings.ts';
import type { TlsStats } from './tls-stats.ts';

/** Who waits for a handshake; exactly one of the two is called, once, and never during `accept`. */
export interface HandshakeOwner {
  /** The handshake is done. `peer` is null when the client showed no certificate or none was to be verified. */
  onSecure(socket: TLSSocket, peer: VerifiedPeer | null): void;
  /** The socket is closed already, or takes its leave by itself. */
  onHandshakeFailed(reason: string): void;
}

/** What a `DownstreamTlsContext` says besides the common part. */
export interface ServerPolicy {
  readonly requireClientCertificate: boolean;
  readonly requireServerName: boolean;
  readonly statelessResumption: boolean;
  readonly sessionTimeoutSeconds: number;
  /** From which the keys of tickets are made where the configuration gives none: sessions outlive the server's certificate. */
  readonly ticketSecret: Buffer;
}

/** Who clocks, logs and counts. */
export interface HandshakeEnvironment {
  readonly secrets: SecretSet;
  readonly stats: TlsStats;
}

/** A peer that stops in the middle of a handshake is cut off then. */
const handshakeTimeoutMs = 15_000;

/** How long a refused client may take to close its side. */
const leaveMs = 1000;

/** The server as one connection sees it: Node emits a connection's events on the object that it was injected into. */
interface PendingServer extends Server {
  owner: HandshakeOwner;
  raw: Duplex;
}

/** Accepts sockets with one fixed set of certificates and rules. */
export class HandshakeServer {
  private readonly server: Server;
  private readonly policy: ServerPolicy;
  private readonly trust: TrustMaterial | null;
  private readonly environment: HandshakeEnvironment;
  private readonly asksForCertificate: boolean;
  private readonly requiresCertificate: boolean;

  constructor(settings: TlsSettings, policy: ServerPolicy, material: TlsMaterial, environment: HandshakeEnvironment) {
    this.policy = policy;
    this.trust = material.trust;
    this.environment = environment;
    const verifies = material.trust !== null && wantsVerification(material.trust);
    // As Envoy: who says which certificates are the right ones does not mean to let those in who show none.
    this.requiresCertificate = policy.requireClientCertificate || choosesPeers(material.trust);
    this.asksForCertificate = this.requiresCertificate || verifies;
    // OpenSSL's own refusal sends the client an alert; it covers the usual case, `judge` covers the rest.
    const strict = this.requiresCertificate && verifies && needsChain(material.trust);
    this.server = new (nodeTls().Server)({
      ...this.serverOptions(settings, material),
      requestCert: this.asksForCertificate,
      rejectUnauthorized: strict,
      handshakeTimeout: handshakeTimeoutMs,
    });
    if (material.trust !== null) allowPartialChains(this.server);
    this.listen();
  }

  /** Starts a handshake. */
  accept(raw: Duplex, owner: HandshakeOwner): void {
    // A client that ends its side in the middle of a handshake has left; afterwards it may go on reading.
    raw.allowHalfOpen = false;
    const pending: PendingServer = Object.create(this.server);
    pending.owner = owner;
    pending.raw = raw;
    pending.emit('connection', raw);
  }

  private serverOptions(settings: TlsSettings, material: TlsMaterial): TlsOptions {
    const choice = compileSniChoice(material.certificates);
    const sessionIdContext = sessionContext(material.trust, this.requiresCertificate);
    const shared = { ...contextOptions(settings.parameters, material.trust, this.policy), sessionIdContext };
    const options: TlsOptions = { ...shared, ...certificateOptions(choice.fallback) };
    options.sessionTimeout = this.policy.sessionTimeoutSeconds;
    options.ticketKeys = ticketKeys(material.ticketSecret ?? this.policy.ticketSecret, sessionIdContext);
    // Preference is the server's. Without a protocol in common the handshake ends with an alert (RFC 7301 §3.2).
    if (settings.alpnProtocols.length > 0) options.ALPNProtocols = [...settings.alpnProtocols];
    if (hasChoice(choice)) options.SNICallback = makeSniCallback(choice, shared);
    return options;
  }

  private listen(): void {
    const self = this;
    this.server.on('secureConnection', function (this: Server, socket: TLSSocket) {
      self.onSecure(socket, pendingOf(this));
    });
    this.server.on('tlsClientError', function (this: Server, error: Error, socket: TLSSocket) {
      self.onError(error, socket, pendingOf(this));
    });
  }

  private onSecure(socket: TLSSocket, { owner, raw }: PendingServer): void {
    const { stats, secrets } = this.environment;
    socket.allowHalfOpen = true;
    stats.handshake.inc();
    forbidRenegotiation(socket, stats);
    if (socket.isSessionReused()) stats.sessionReused.inc();
    const reason = this.judge(socket);
    if (reason === null) {
      owner.onSecure(socket, peerCertificate(socket));
      return;
    }
    secrets.log.warn('client refused', { reason, remote: socket.remoteAddress });
    dismiss(socket, raw, secrets.clock);
    owner.onHandshakeFailed(reason);
  }

  private judge(socket: TLSSocket): string | null {
    if (this.policy.requireServerName && !socket.servername)
      return 'the client sent no server name, which is required here';
    const { stats, secrets } = this.environment;
    if (!this.asksForCertificate) {
      stats.noCertificate.inc();
      return null;
    }
    const der = socket.getPeerX509Certificate()?.raw;
    if (der === undefined) {
      const counter = this.requiresCertificate ? stats.failVerifyNoCertificate : stats.noCertificate;
      counter.inc();
      return this.requiresCertificate ? 'the client showed no certificate, which is required here' : null;
    }
    // Without rules for it a certificate is taken, but its names count for nothing.
    if (this.trust === null || !wantsVerification(this.trust) || this.trust.acceptUntrusted) return null;
    const facts = readPeerCertificate(der);
    if (typeof facts === 'string') return facts;
    const chainError = socket.authorized ? null : chainErrorOf(socket);
    const evidence = { facts, chainError, nowMs: secrets.clock.wallMs(), expectedHost: null };
    const reason = judgePeer(evidence, this.trust, stats);
    if (reason === null) rememberPeer(socket, facts);
    return reason;
  }

  private onError(error: Error, socket: TLSSocket, { owner, raw }: PendingServer): void {
    const { stats, secrets } = this.environment;
    const reason = this.reasonOf(error, socket);
    stats.connectionError.inc();
    secrets.log.info('TLS handshake failed', { reason, remote: socket.remoteAddress });
    socket.destroy();
    raw.destroy();
    owner.onHandshakeFailed(reason);
  }

  private reasonOf(error: Error, socket: TLSSocket): string {
    const { stats } = this.environment;
    // Set when OpenSSL had no objection to the handshake but Node did to the chain.
    if (!socket.authorized && socket.authorizationError) {
      stats.failVerifyError.inc();
      return `the client's certificate does not verify: ${chainErrorOf(socket)}`;
    }
    if ('code' in error && error.code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') {
      stats.failVerifyNoCertificate.inc();
      return 'the client showed no certificate, which is required here';
    }
    return `TLS handshake: ${handshakeReason(error)}`;
  }
}

interface PartialChains {
  readonly context?: { setAllowPartialTrustChain?: () => void };
}

/** Node's `tls.Server` drops the option, which its contexts take; where it cannot be set, only a self-signed root ends a chain. */
function allowPartialChains(server: Server): void {
  const shared: PartialChains | undefined = Reflect.get(server, '_sharedCreds');
  shared?.context?.setAllowPartialTrustChain?.();
}

/**
 * Ends a connection whose handshake is over with the alert that says so (close_notify), so that the client does not take it for cut
 * off. The alerts that tell a reason are OpenSSL's own to send, during the handshake. What the client sends is dropped.
 */
function dismiss(socket: TLSSocket, raw: Duplex, clock: Clock): void {
  const timer = clock.start(leaveMs, (one: Duplex) => one.destroy(), socket);
  socket.on('error', () => {});
  socket.once('close', () => {
    timer.stop();
    raw.destroy();
  });
  socket.resume();
  socket.end();
}

/** OpenSSL's reason without the rest of its line; what people most often get wrong in their own words. */
function handshakeReason(error: Error): string {
  const reason = 'reason' in error && typeof error.reason === 'string' ? error.reason : messageOf(error);
  if (reason !== 'http request') return reason;
  return 'the client spoke plain HTTP where TLS is demanded (by a PeerAuthentication, the default of the mesh, or a Gateway)';
}

function needsChain(trust: TrustMaterial | null): boolean {
  return trust !== null && hasRoots(trust) && !trust.acceptUntrusted;
}

/** Whether names or hashes say which peers may come, beyond who issued their certificates. */
function choosesPeers(trust: TrustMaterial | null): boolean {
  if (trust === null || trust.acceptUntrusted) return false;
  const { sanMatchers, pins } = trust;
  return sanMatchers.length > 0 || pins.certificates.length > 0 || pins.publicKeys.length > 0;
}

function pendingOf(emitter: Server): PendingServer {
  assert('owner' in emitter, 'Node emits a connection on the server that it was injected into');
  return emitter as PendingServer;
}

/** OpenSSL's code for what is wrong with the chain; Node's types call it an Error, it is a text. */
export function chainErrorOf(socket: TLSSocket): string {
  return messageOf(socket.authorizationError) || 'unknown reason';
}

// Of the context that a callback gives, Node takes a single certificate: which of a group it is must be decided here.
function makeSniCallback(choice: SniChoice, shared: SecureContextOptions): NonNullable<TlsOptions['SNICallback']> {
  const contexts: Map<CertificateMaterial, SecureContext> = new Map();
  for (const certificate of [...choice.exact.values(), ...choice.wildcard.values()].flat()) {
    if (contexts.has(certificate)) continue;
    contexts.set(certificate, nodeTls().createSecureContext({ ...shared, ...certificateOptions([certificate]) }));
  }
  return function (this: unknown, serverName, callback) {
    const group = pickCertificates(choice, serverName);
    const certificate = group === choice.fallback ? undefined : pickByAlgorithm(group, algorithmsOf(this));
    // Undefined leaves the server's own context, which is that of the fallback.
    callback(null, certificate === undefined ? undefined : contexts.get(certificate));
  };
}

/** How the client can check signatures: Node calls back on the socket, without saying so in its documentation. */
function algorithmsOf(client: unknown): readonly string[] {
  return client instanceof nodeTls().TLSSocket ? client.getSharedSigalgs() : [];
}

function certificateOptions(group: CertificateGroup): SecureContextOptions {
  return {
    cert: group.map((certificate) => certificate.chainPem),
    key: group.map(({ keyPem, passphrase }) =>
      passphrase === undefined ? { pem: keyPem } : { pem: keyPem, passphrase },
    ),
  };
}

interface RenegotiableHandle {
  onhandshakestart?: () => void;
}

/**
 * Ends a connection whose peer begins another handshake, as Envoy. OpenSSL alone answers each attempt with a warning, and of a peer that
 * does not read, these pile up in memory without end.
 */
export function forbidRenegotiation(socket: TLSSocket, stats: TlsStats): void {
  const handle: RenegotiableHandle | null | undefined = Reflect.get(socket, '_handle');
  if (!handle || socket.getProtocol() === 'TLSv1.3') return;
  handle.onhandshakestart = () => {
    if (socket.destroyed) return;
    stats.connectionError.inc();
    socket.destroy(new Error('the peer began a renegotiation, which is not allowed'));
  };
}

/** Parameters and roots. Renegotiation is off: it would let a peer change its identity within a connection. */
export function contextOptions(
  parameters: SecureContextOptions,
  trust: TrustMaterial | null,
  policy: Pick<ServerPolicy, 'statelessResumption'> | null,
): SecureContextOptions {
  const noTickets = policy !== null && !policy.statelessResumption;
  const options: SecureContextOptions = {
    ...parameters,
    secureOptions:
      nodeCrypto().constants.SSL_OP_NO_RENEGOTIATION | (noTickets ? nodeCrypto().constants.SSL_OP_NO_TICKET : 0),
  };
  if (trust === null) return options;
  // As Envoy: whatever certificate is trusted ends a chain, be it a root, an intermediate or the peer's own.
  options.allowPartialTrustChain = true;
  // An empty list keeps the system's roots out where the configuration names none.
  if (!trust.useSystemRoots || trust.rootsPem !== null) options.ca = trust.rootsPem ?? [];
  if (trust.crlPem !== null) options.crl = trust.crlPem;
  return options;
}
