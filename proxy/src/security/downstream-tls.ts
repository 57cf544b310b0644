// TLS towards clients: a listener hands over an accepted socket and gets back a connection whose peer passed every check,
// or a reason. Nothing a client sends reaches anyone before that.

import type { Duplex } from 'node:stream';
import type { envoy } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import type { Scope } from '@weft/lib/metrics';
import { type IssueSink, reportError, sinkAt } from './data-source.ts';
import { type HandshakeOwner, HandshakeServer, type ServerPolicy } from './handshake-server.ts';
import type { SecretCell, SecretSet } from './secret-set.ts';
import { ticketSecretOf } from './session-tickets.ts';
import { compileTlsSettings, MaterialReader, type TlsMaterial, type TlsSettings } from './tls-settings.ts';
import { TlsStats } from './tls-stats.ts';

export type { HandshakeOwner } from './handshake-server.ts';

type DownstreamTlsContext = envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;

/** One compiled `DownstreamTlsContext`. */
export class DownstreamTls {
  readonly policy: ServerPolicy;
  private readonly settings: TlsSettings;
  private readonly secrets: SecretSet;
  private readonly stats: TlsStats;
  private server: HandshakeServer | null = null;
  private readonly material: MaterialReader;
  private builtFrom: TlsMaterial | null = null;

  constructor(settings: TlsSettings, policy: ServerPolicy, secrets: SecretSet, stats: TlsStats) {
    this.settings = settings;
    this.policy = policy;
    this.secrets = secrets;
    this.stats = stats;
    this.material = new MaterialReader(settings);
  }

  /** In the order of preference, which is the server's. */
  get alpnProtocols(): readonly string[] {
    return this.settings.alpnProtocols;
  }

  /** Names of the secrets it needs from elsewhere, for warming. */
  get secretNames(): readonly string[] {
    return this.settings.secretNames;
  }

  /** Whether every secret is there. While it is not, every handshake is refused. */
  get isReady(): boolean {
    return this.currentServer() !== null;
  }

  /** How long to wait for those that are not there, milliseconds; 0 for ever. */
  get patienceMs(): number {
    return this.secrets.patienceFor(this.secretNames);
  }

  /** URI names of the certificate in use, for `x-forwarded-client-cert` (`By=`). */
  get ownUriSans(): readonly string[] {
    return this.settings.certificates[0]?.current?.certificate?.leaf.names.uris ?? [];
  }

  /** Starts the handshake on a connected socket (bytes already read must have been put back with `unshift`). */
  accept(socket: Duplex, owner: HandshakeOwner): void {
    const server = this.currentServer();
    if (server !== null) {
      server.accept(socket, owner);
      return;
    }
    this.stats.contextNotReady.inc();
    socket.destroy();
    const reason = `the secret "${this.material.missing}" has not arrived or does not fit, so no connection can be accepted yet`;
    process.nextTick(refuse, owner, reason);
  }

  /** The server for the secrets of this moment. Built once per version; older ones live on with their connections. */
  private currentServer(): HandshakeServer | null {
    const material = this.material.read();
    if (material === null) return null;
    if (this.builtFrom === material) return this.server;
    this.builtFrom = material;
    try {
      const environment = { secrets: this.secrets, stats: this.stats };
      this.server = new HandshakeServer(this.settings, this.policy, material, environment);
    } catch (error) {
      // The parts were checked one by one, so this is rare: the old certificate is better than none, none better than a crash.
      this.secrets.log.error('the new certificates make no TLS context, the old ones stay in use', { error });
    }
    return this.server;
  }
}

function refuse(owner: HandshakeOwner, reason: string): void {
  owner.onHandshakeFailed(reason);
}

/** Compiles a listener's TLS; null after reporting errors. */
export function compileDownstreamTls(
  context: DownstreamTlsContext,
  secrets: SecretSet,
  issues: Issue[],
  path: string,
  scope?: Scope,
): DownstreamTls | null {
  const sink: IssueSink = { issues, path };
  const before = issues.length;
  if (context.ocspStaplePolicy !== undefined && context.ocspStaplePolicy !== 'LENIENT_STAPLING') {
    reportError(sinkAt(sink, 'ocsp_staple_policy'), 'WEFT0709', 'only LENIENT_STAPLING is supported, without staples');
  }
  const commonSink = sinkAt(sink, 'common_tls_context');
  const settings = compileTlsSettings(context.commonTlsContext ?? {}, secrets, commonSink);
  if (settings !== null && settings.certificates.length === 0) {
    reportError(commonSink, 'WEFT0717', 'a server needs a certificate; give tls_certificates or an SDS reference');
  }
  const shared = compileTicketKeys(context, secrets, sink);
  if (settings === null || issues.slice(before).some((issue) => issue.level === 'error')) return null;
  const sessionTimeoutSeconds =
    context.sessionTimeout === undefined ? 300 : Number(context.sessionTimeout.seconds ?? 0);
  const policy: ServerPolicy = {
    requireClientCertificate: context.requireClientCertificate === true,
    requireServerName: context.requireSni === true,
    // A lifetime of zero is how one says that nothing is to be resumed.
    statelessResumption: context.disableStatelessSessionResumption !== true && sessionTimeoutSeconds > 0,
    sessionTimeoutSeconds,
    ticketSecret: ticketSecretOf(secrets.ticketSecret, context),
  };
  return new DownstreamTls(
    shared === null ? settings : settings.withTicketKeys(shared),
    policy,
    secrets,
    new TlsStats(scope, 'downstream'),
  );
}

function compileTicketKeys(context: DownstreamTlsContext, secrets: SecretSet, sink: IssueSink): SecretCell | null {
  const { sessionTicketKeys, sessionTicketKeysSdsSecretConfig } = context;
  if (sessionTicketKeys !== undefined) {
    return secrets.ownTicketKeys(sessionTicketKeys, sinkAt(sink, 'session_ticket_keys'));
  }
  if (sessionTicketKeysSdsSecretConfig === undefined) return null;
  return secrets.reference(sessionTicketKeysSdsSecretConfig, sinkAt(sink, 'session_ticket_keys_sds_secret_config'));
}
