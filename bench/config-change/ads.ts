// A discovery server with one route configuration, which it changes when told: the smallest that a proxy under test can follow.

import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { envoy } from '@weft/api/xds/types';
import { decodeMessage, encodeMessage, packAny } from '@weft/lib/protobuf/codec';

type RouteConfiguration = envoy.config.route.v3.RouteConfiguration;
type Call = ServerDuplexStream<Buffer, Buffer>;

const routeName = 'envoy.config.route.v3.RouteConfiguration';
const routeUrl = `type.googleapis.com/${routeName}`;

const asBytes = (bytes: Buffer): Buffer => bytes;
const service = {
  streamAggregatedResources: {
    path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    requestStream: true,
    responseStream: true,
    requestSerialize: asBytes,
    requestDeserialize: asBytes,
    responseSerialize: asBytes,
    responseDeserialize: asBytes,
  },
} as const;

/** Serves one stream of state-of-the-world ADS over plain HTTP/2. */
export class RouteServer {
  private readonly server = new Server();
  private routes: RouteConfiguration;
  private version = 1;
  private call: Call | null = null;
  private waiting: { resolve: () => void; reject: (error: Error) => void } | null = null;

  constructor(routes: RouteConfiguration) {
    this.routes = routes;
    this.server.addService(service, { streamAggregatedResources: (call: Call) => this.onStream(call) });
  }

  /** Listens on a free port of the loopback. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  }

  /** Pushes the routes; resolves when the proxy has acknowledged them, rejects when it refuses them. */
  push(routes: RouteConfiguration): Promise<void> {
    this.routes = routes;
    this.version++;
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      if (this.call === null) reject(new Error('the proxy has no discovery stream'));
      else this.send(this.call);
    });
  }

  close(): void {
    this.server.forceShutdown();
  }

  private onStream(call: Call): void {
    call.on('data', (bytes: Buffer) => this.onRequest(call, bytes));
    call.on('error', () => {});
    call.on('end', () => call.end());
    call.on('close', () => {
      if (this.call === call) this.call = null;
    });
  }

  private onRequest(call: Call, bytes: Buffer): void {
    const request = decodeMessage('envoy.service.discovery.v3.DiscoveryRequest', bytes);
    if (request.typeUrl !== routeUrl) return;
    // The first request on a stream answers nothing: it asks.
    if ((request.responseNonce ?? '') === '') {
      this.call = call;
      this.send(call);
      return;
    }
    if (request.responseNonce !== String(this.version) || this.waiting === null) return;
    const { resolve, reject } = this.waiting;
    this.waiting = null;
    if (request.errorDetail === undefined) resolve();
    else reject(new Error(`the proxy refused version ${this.version}: ${request.errorDetail.message ?? ''}`));
  }

  private send(call: Call): void {
    const response = encodeMessage('envoy.service.discovery.v3.DiscoveryResponse', {
      versionInfo: String(this.version),
      nonce: String(this.version),
      typeUrl: routeUrl,
      resources: [packAny(routeName, this.routes)],
    });
    call.write(Buffer.from(response));
  }
}
