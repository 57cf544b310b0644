// The Aggregated Discovery Service: streams of proxies in, resources out. What comes before it is the mesh model; what comes after is
// each proxy's own configuration.

import { randomUUID } from 'node:crypto';
import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '@weft/lib/clock';
import { messageOf } from '@weft/lib/error';
import { formatIssue, type Issue } from '@weft/lib/issue';
import type { MeshModel } from '../model/mesh.ts';
import { spiffeId } from '../model/settings.ts';
import { type ProxyNode, parseProxyNode } from '../translate/proxy-node.ts';
import { reachKey } from '../translate/reach.ts';
import { translateConfig, translateEndpoints } from '../translate/translate.ts';
import { type DiscoveryMessage, type DiscoveryProtocol, incremental, stateOfTheWorld } from './discovery-protocol.ts';
import { ResourceEncoder } from './encoded.ts';
import { ProxySession, type SessionSnapshot } from './proxy-session.ts';
import { type ProxyStatus, sessionStatus } from './proxy-status.ts';
import { PushQueue } from './push-queue.ts';
import { RevisionWaiters, type WaitOutcome } from './push-wait.ts';

export type AdsCall = ServerDuplexStream<Uint8Array, Uint8Array>;

/** Who is at the other end of a stream, by its verified certificate. */
export interface PeerIdentity {
  readonly spiffeId: string;
  /** ISO 8601. */
  readonly expiresAt: string | null;
}

/** Where life-cycle events go. */
export interface AdsLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface AdsOptions {
  readonly clock: Clock;
  readonly log: AdsLog;
  /** Null where streams without a certificate are let in: for tests, and for meshes without mutual TLS. */
  readonly identify: ((call: AdsCall) => PeerIdentity | null) | null;
  /** Characters of names and versions that are kept for all streams of one identity; 512 Mi unless said otherwise. */
  readonly identityCharsMax?: number;
}

/** One stream, before and after its first request. */
interface Connection {
  readonly call: AdsCall;
  readonly protocol: DiscoveryProtocol;
  readonly peer: PeerIdentity | null;
  readonly since: string;
  session: ProxySession | null;
  /** What its session keeps, as it is counted for its identity. */
  chars: number;
}

/** Characters that are kept for all streams of one identity, however many replicas share it. */
const maxIdentityChars = 512 * 1024 * 1024;

/** Proxies that went are remembered for this long, and no more than so many. */
const goneForMs = 300_000;
const maxGone = 1000;

export class AdsServer {
  private readonly options: AdsOptions;
  private readonly connections: Set<Connection> = new Set();
  private readonly gone: Map<string, { readonly status: ProxyStatus; readonly atMs: number }> = new Map();
  private readonly encoder = new ResourceEncoder();
  private readonly queue: PushQueue<Connection>;
  private readonly waiters: RevisionWaiters;
  private readonly charsBy: Map<string, number> = new Map();
  private mesh: MeshModel | null = null;

  constructor(options: AdsOptions) {
    this.options = options;
    this.queue = new PushQueue((connection) => this.refresh(connection));
    this.waiters = new RevisionWaiters(options.clock, () => ({
      revision: this.mesh?.revision ?? 0,
      statuses: this.statuses().filter(({ isConnected }) => isConnected),
    }));
  }

  /** To be added to a gRPC server. */
  get implementation(): UntypedServiceImplementation {
    return {
      StreamAggregatedResources: (call: AdsCall) => this.open(call, stateOfTheWorld),
      DeltaAggregatedResources: (call: AdsCall) => this.open(call, incremental),
    };
  }

  /** Takes a new model; every proxy is told in its turn. */
  setMesh(mesh: MeshModel): void {
    this.mesh = mesh;
    this.encoder.turn();
    for (const connection of this.inTurn(mesh)) this.queue.add(connection);
    this.waiters.check();
  }

  /** Proxies of one reach one after the other: what is made for a reach is remembered only for the latest ones. */
  private inTurn(mesh: MeshModel): Connection[] {
    const keyed: { readonly key: string; readonly connection: Connection }[] = [];
    for (const connection of this.connections) {
      if (connection.session !== null) keyed.push({ key: reachKey(mesh, connection.session.node), connection });
    }
    return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ connection }) => connection);
  }

  /** All proxies: connected ones, and those that went not long ago. */
  statuses(): ProxyStatus[] {
    // A proxy that came back has a new stream while the old one may still wait for its time-out: the newest counts.
    const byId = new Map<string, ProxyStatus>();
    for (const connection of this.connections) {
      const status = this.statusOf(connection);
      if (status !== null) byId.set(status.id, status);
    }
    this.forgetGone();
    const gone = [...this.gone.values()].map(({ status: last }) => last).filter(({ id }) => !byId.has(id));
    return [...byId.values(), ...gone].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The nodes of the connected proxies. */
  nodes(): ProxyNode[] {
    return [...this.connections].flatMap(({ session }) => (session === null ? [] : [session.node]));
  }

  /** Until every connected proxy that fits has accepted the revision, or refused it, or time is up, or the asker is gone. */
  waitForRevision(
    revision: number,
    timeoutMs: number,
    filter: (proxy: ProxyStatus) => boolean = () => true,
    onGone?: (end: () => void) => void,
  ): Promise<WaitOutcome> {
    return this.waiters.wait(revision, timeoutMs, filter, onGone);
  }

  /** Ends all streams; clients come back to whoever serves next. */
  close(): void {
    this.waiters.close();
    for (const { call } of this.connections) {
      call.emit('error', { code: status.UNAVAILABLE, details: 'the control plane is shutting down' });
    }
    this.connections.clear();
  }

  private open(call: AdsCall, protocol: DiscoveryProtocol): void {
    const { identify, clock } = this.options;
    const peer = identify === null ? null : identify(call);
    if (identify !== null && peer === null) {
      const details =
        'WEFT0603: the stream carries no certificate of this mesh; get one from the certificate authority first';
      call.emit('error', { code: status.UNAUTHENTICATED, details });
      return;
    }
    const since = new Date(clock.wallMs()).toISOString();
    const connection: Connection = { call, protocol, peer, since, session: null, chars: 0 };
    this.connections.add(connection);
    call.on('data', (bytes: Uint8Array) => this.receive(connection, bytes));
    call.on('end', () => call.end());
    call.on('error', () => this.drop(connection));
    call.on('close', () => this.drop(connection));
    call.on('cancelled', () => this.drop(connection));
  }

  private receive(connection: Connection, bytes: Uint8Array): void {
    if (!this.connections.has(connection)) return;
    let message: DiscoveryMessage;
    try {
      message = connection.protocol.decode(bytes);
    } catch (error) {
      this.refuse(connection, status.INVALID_ARGUMENT, `WEFT0604: the request cannot be read: ${messageOf(error)}`);
      return;
    }
    const session = connection.session ?? this.begin(connection, message);
    if (session === null) return;
    const hadNack = this.nackOf(connection);
    const problem = this.receiveMessage(session, message) ?? this.charsProblem(connection, session.chars);
    if (problem !== null) {
      this.refuse(connection, status.RESOURCE_EXHAUSTED, `WEFT0605: ${problem}`);
      return;
    }
    this.logNack(connection, hadNack);
    this.waiters.check();
  }

  private charsProblem(connection: Connection, chars: number): string | null {
    const total = this.countChars(connection, chars);
    const max = this.options.identityCharsMax ?? maxIdentityChars;
    return total <= max ? null : `the streams of one identity ask for names of ${total} characters`;
  }

  /** Of all streams of that identity. */
  private countChars(connection: Connection, chars: number): number {
    const identity = connection.peer?.spiffeId ?? '';
    const total = (this.charsBy.get(identity) ?? 0) + chars - connection.chars;
    connection.chars = chars;
    if (total === 0) this.charsBy.delete(identity);
    else this.charsBy.set(identity, total);
    return total;
  }

  /** A reason to end the stream, or null. A defect of ours ends the stream of one proxy, not the process. */
  private receiveMessage(session: ProxySession, message: DiscoveryMessage): string | null {
    try {
      return session.receive(message);
    } catch (error) {
      this.options.log.error({ proxy: session.node.id, err: error }, 'a request could not be answered');
      return `the request could not be answered: ${messageOf(error)}`;
    }
  }

  /** The first request of a stream names its node. */
  private begin(connection: Connection, message: DiscoveryMessage): ProxySession | null {
    const issues: Issue[] = [];
    const node = message.node === null ? null : parseProxyNode(message.node, issues);
    if (node === null) {
      const said = issues.map(formatIssue).join('; ') || 'WEFT0600: the first request of a stream must carry its node';
      this.refuse(connection, status.INVALID_ARGUMENT, said);
      return null;
    }
    const problem = this.identityProblem(connection, node);
    if (problem !== null) {
      this.refuse(connection, status.PERMISSION_DENIED, problem);
      return null;
    }
    const { call, protocol } = connection;
    const session = new ProxySession(
      node,
      protocol,
      (bytes) => void call.write(bytes),
      // Not to be guessed: who answers a response before it is read would be sent another one, and another, all kept for it.
      randomUUID,
    );
    connection.session = session;
    this.options.log.info({ proxy: node.id, protocol: protocol.name }, 'proxy connected');
    this.refresh(connection);
    return session;
  }

  /** A proxy may only ask for its own workload's configuration. */
  private identityProblem({ peer }: Connection, node: ProxyNode): string | null {
    if (peer === null || this.mesh === null) return null;
    const claimed = spiffeId(this.mesh.settings, node.namespace, node.serviceAccount);
    if (peer.spiffeId === claimed) return null;
    return (
      `WEFT0606: the node says it is ${claimed}, its certificate says ${peer.spiffeId}; ` +
      'start the proxy with the certificate of its own service account'
    );
  }

  /** Translates for one proxy and tells it what changed. */
  private refresh(connection: Connection): void {
    const { session } = connection;
    const { mesh } = this;
    if (session === null || mesh === null || !this.connections.has(connection)) return;
    if (session.snapshot === null) {
      const problem = this.identityProblem(connection, session.node);
      if (problem !== null) {
        this.refuse(connection, status.PERMISSION_DENIED, problem);
        return;
      }
    }
    try {
      session.update(this.snapshotFor(mesh, session));
    } catch (error) {
      // A defect of the translation must not take the other proxies' configuration away; this one keeps what it has.
      session.problem = `WEFT0607: its configuration could not be made: ${messageOf(error)}; it keeps what it has`;
      this.options.log.error({ proxy: session.node.id, err: error }, 'translation failed');
    }
    this.waiters.check();
  }

  /** Only endpoints are made again where only they changed. */
  private snapshotFor(mesh: MeshModel, { node, snapshot }: ProxySession): SessionSnapshot {
    const { revision, configRevision } = mesh;
    const isSame = snapshot !== null && snapshot.configRevision === configRevision;
    const config = isSame ? snapshot.config : translateConfig(mesh, node);
    const encodedConfig = isSame ? snapshot.encoded : this.encoder.encodeConfig(config);
    const eds = this.encoder.encodeEndpoints(translateEndpoints(mesh, node, config));
    return { revision, configRevision, config, encoded: { ...encodedConfig, eds } };
  }

  private statusOf(connection: Connection): ProxyStatus | null {
    const { session, since, peer } = connection;
    if (session === null) return null;
    return sessionStatus(session, this.mesh?.revision ?? 0, since, peer?.expiresAt ?? null);
  }

  private nackOf(connection: Connection): string | null {
    const nack = this.statusOf(connection)?.lastNack;
    return nack === null || nack === undefined ? null : `${nack.type} ${nack.revision} ${nack.message}`;
  }

  private logNack(connection: Connection, before: string | null): void {
    const nack = this.nackOf(connection);
    if (nack === null || nack === before) return;
    this.options.log.warn({ proxy: connection.session?.node.id, nack }, 'proxy refused its configuration');
  }

  private refuse(connection: Connection, code: status, details: string): void {
    this.options.log.warn({ proxy: connection.session?.node.id, details }, 'stream refused');
    connection.call.emit('error', { code, details });
    this.drop(connection);
  }

  private drop(connection: Connection): void {
    if (!this.connections.delete(connection)) return;
    this.queue.remove(connection);
    this.countChars(connection, 0);
    const last = this.statusOf(connection);
    if (last === null) return;
    const nowMs = this.options.clock.wallMs();
    const since = new Date(nowMs).toISOString();
    this.gone.delete(last.id);
    this.gone.set(last.id, { status: { ...last, isConnected: false, isInSync: false, since }, atMs: nowMs });
    this.forgetGone();
    this.options.log.info({ proxy: last.id }, 'proxy disconnected');
    this.waiters.check();
  }

  private forgetGone(): void {
    const beforeMs = this.options.clock.wallMs() - goneForMs;
    for (const [id, { atMs }] of this.gone) {
      if (atMs >= beforeMs && this.gone.size <= maxGone) return;
      this.gone.delete(id);
    }
  }
}

const identity = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const streaming = {
  requestStream: true,
  responseStream: true,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
} as const;

/** envoy.service.discovery.v3.AggregatedDiscoveryService; messages stay bytes. */
export const adsService: ServiceDefinition = {
  StreamAggregatedResources: {
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    ...streaming,
  },
  DeltaAggregatedResources: {
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    ...streaming,
  },
};

/** Options of the gRPC server that ADS needs: no proxy variables, dead peers found, requests and streams bounded. */
export const adsServerOptions = {
  'grpc.enable_http_proxy': 0,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  // Of one connection. A proxy has one stream for everything, and one more while it gets a certificate.
  'grpc.max_concurrent_streams': 100,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
} as const;
