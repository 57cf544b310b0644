// A control plane for tests: speaks the protocol on loopback by script, and shows what the client sent.
import { once } from 'node:events';
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { envoy, google } from '@weft/api/xds/types';
import { decodeMessage, encodeMessage, type MessageName, packAny } from '@weft/lib/protobuf/codec';
import { FrameReader, frameMessage } from '../grpc/frame.ts';

type Discovery = envoy.service.discovery.v3.DiscoveryRequest;
type DeltaDiscovery = envoy.service.discovery.v3.DeltaDiscoveryRequest;

/** Requests of either variant, by the fields that tests look at. */
export type SeenRequest = Discovery & DeltaDiscovery;

/** One stream that a client opened. */
export class FakeStream {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  private readonly requests: SeenRequest[] = [];
  private waiting: ((request: SeenRequest) => void) | null = null;
  private nonce = 0;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, isRaw: boolean) {
    this.stream = stream;
    this.headers = headers;
    const isDelta = String(headers[':path']).includes('/Delta');
    const frames = new FrameReader(1 << 24);
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      frames.push(chunk, (message) => this.onRequest(message, isDelta));
    });
    if (!isRaw) stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  }

  private onRequest(message: Buffer, isDelta: boolean): void {
    const request: SeenRequest = isDelta
      ? decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', message)
      : decodeMessage('envoy.service.discovery.v3.DiscoveryRequest', message);
    const { waiting } = this;
    this.waiting = null;
    if (waiting === null) this.requests.push(request);
    else waiting(request);
  }

  /** The next request, of any kind, in order. */
  next(): Promise<SeenRequest> {
    const first = this.requests.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  /** Requests that have arrived and were not taken. */
  get pending(): number {
    return this.requests.length;
  }

  /** Sends a state-of-the-world response and gives its nonce. */
  respond(kind: keyof typeof typeNames, version: string, messages: readonly object[]): string {
    const nonce = `n${++this.nonce}`;
    const typeName = typeNames[kind];
    const resources = messages.map((message) => (isAny(message) ? message : packAny(typeName, message as never)));
    this.write(
      encodeMessage('envoy.service.discovery.v3.DiscoveryResponse', {
        versionInfo: version,
        nonce,
        typeUrl: `type.googleapis.com/${typeName}`,
        resources,
        controlPlane: { identifier: 'fake' },
      }),
    );
    return nonce;
  }

  /** Sends an incremental response and gives its nonce. */
  respondDelta(
    kind: keyof typeof typeNames,
    changed: readonly (readonly [name: string, version: string, message: object])[],
    removed: readonly string[] = [],
    systemVersionInfo: string = `s${this.nonce + 1}`,
  ): string {
    const nonce = `n${++this.nonce}`;
    const typeName = typeNames[kind];
    this.write(
      encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', {
        systemVersionInfo,
        nonce,
        typeUrl: `type.googleapis.com/${typeName}`,
        resources: changed.map(([name, version, message]) => ({
          name,
          version,
          resource: packAny(typeName, message as never),
        })),
        removedResources: removed,
      }),
    );
    return nonce;
  }

  write(message: Uint8Array): void {
    this.stream.write(frameMessage(message));
  }

  /** Ends the call with a status in trailers. */
  end(status: number, message: string): void {
    this.stream.once('wantTrailers', () =>
      this.stream.sendTrailers({ 'grpc-status': String(status), 'grpc-message': message }),
    );
    this.stream.end();
  }
}

const typeNames = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  endpoint: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  route: 'envoy.config.route.v3.RouteConfiguration',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
} as const satisfies Record<string, MessageName>;

function isAny(message: object): message is google.protobuf.Any {
  return 'typeUrl' in message;
}

/** Listens on a free loopback port until closed. */
export class FakeAdsServer {
  readonly sessions: ServerHttp2Session[] = [];
  /** Streams answer nothing by themselves, not even a head. */
  isRaw = false;
  connections = 0;
  pings = 0;
  private pingWaiter: (() => void) | null = null;
  private readonly server: Http2Server;
  private readonly streams: FakeStream[] = [];
  private waiting: ((stream: FakeStream) => void) | null = null;

  private constructor(server: Http2Server) {
    this.server = server;
    server.on('connection', () => {
      this.connections++;
    });
    server.on('session', (session) => {
      this.sessions.push(session);
      session.on('error', () => {});
      session.on('ping', () => {
        this.pings++;
        this.pingWaiter?.();
      });
    });
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const seen = new FakeStream(stream, headers, this.isRaw);
      const { waiting } = this;
      this.waiting = null;
      if (waiting === null) this.streams.push(seen);
      else waiting(seen);
    });
  }

  static async start(path?: string): Promise<FakeAdsServer> {
    const server = createServer();
    const fake = new FakeAdsServer(server);
    if (path === undefined) server.listen(0, '127.0.0.1');
    else server.listen(path);
    await once(server, 'listening');
    return fake;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** For the client's `connect` option. */
  readonly connect = (): Socket => connect(this.port, '127.0.0.1');

  /** The next stream that a client opens, or has opened. */
  accept(): Promise<FakeStream> {
    const first = this.streams.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  /** Calls back at the next PING. */
  onPing(callback: () => void): void {
    this.pingWaiter = callback;
  }

  /** Cuts every connection without a word. */
  vanish(): void {
    for (const session of this.sessions.splice(0)) session.destroy();
  }

  async close(): Promise<void> {
    this.vanish();
    this.server.close();
    await once(this.server, 'close');
  }
}
