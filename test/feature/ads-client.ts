// A scripted client of the discovery service, for tests: asks, answers and refuses exactly as it is told.

import { type ChannelCredentials, Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import type { envoy } from '@weft/api/xds/types';
import { decodeMessage, encodeMessage, unpackAny } from '@weft/lib/protobuf/codec';

type Node = envoy.config.core.v3.Node;
type DiscoveryResponse = envoy.service.discovery.v3.DiscoveryResponse;
type DeltaDiscoveryResponse = envoy.service.discovery.v3.DeltaDiscoveryResponse;
type DeltaDiscoveryRequest = envoy.service.discovery.v3.DeltaDiscoveryRequest;

const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const waitMs = 5000;

export const typeUrl = {
  cds: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  eds: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  sds: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  lds: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  rds: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
} as const;

/** The node of a sidecar. */
export function sidecarNode(workload: string, metadata: Record<string, unknown> = {}): Node {
  const json = JSON.parse(JSON.stringify(metadata)) as NonNullable<Node['metadata']>;
  return { id: `sidecar~127.0.0.1~${workload}.default~default.svc.cluster.local`, metadata: json };
}

const identity = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** One stream. Responses queue up until they are awaited. */
class Stream<T> {
  private readonly client: Client;
  protected readonly call: ClientDuplexStream<Uint8Array, Uint8Array>;
  private readonly arrived: T[] = [];
  private readonly awaited: ((response: T) => void)[] = [];
  /** Settles with the status when the stream is over. */
  readonly over: Promise<{ readonly code: number; readonly details: string }>;

  constructor(address: string, method: string, decode: (bytes: Uint8Array) => T, channel?: ChannelCredentials) {
    this.client = new Client(address, channel ?? credentials.createInsecure(), {
      'grpc.enable_http_proxy': 0,
      'grpc.max_receive_message_length': -1,
      // The name that the control plane's certificate has; a TLS server name cannot be an address.
      'grpc.ssl_target_name_override': 'localhost',
    });
    this.call = this.client.makeBidiStreamRequest(`${service}/${method}`, identity, (bytes: Buffer) => bytes);
    this.call.on('data', (bytes: Uint8Array) => this.take(decode(bytes)));
    this.over = new Promise((resolve) => this.call.on('status', resolve));
    this.call.on('error', () => {});
  }

  private take(response: T): void {
    const waiting = this.awaited.shift();
    if (waiting === undefined) this.arrived.push(response);
    else waiting(response);
  }

  /** The next response, in order of arrival. */
  next(): Promise<T> {
    const first = this.arrived.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no response within 5 s')), waitMs);
      this.awaited.push((response) => {
        clearTimeout(timer);
        resolve(response);
      });
    });
  }

  /** Responses that came and were not awaited. */
  get waiting(): number {
    return this.arrived.length;
  }

  /** Sends what need not be a message. */
  sendBytes(bytes: Uint8Array): void {
    this.call.write(bytes);
  }

  close(): void {
    this.call.cancel();
    this.client.close();
  }
}

/** State of the world. */
export class SotwClient extends Stream<DiscoveryResponse> {
  private node: Node | undefined;

  constructor(address: string, node: Node, channel?: ChannelCredentials) {
    const decode = (bytes: Uint8Array) => decodeMessage('envoy.service.discovery.v3.DiscoveryResponse', bytes);
    super(address, 'StreamAggregatedResources', decode, channel);
    this.node = node;
  }

  ask(type: string, resourceNames: readonly string[] = []): void {
    this.send({ typeUrl: type, resourceNames });
  }

  /** Accepts; `names` as in the last request of the type. */
  ack(response: DiscoveryResponse, resourceNames: readonly string[] = []): void {
    const { typeUrl: type = '', nonce = '', versionInfo = '' } = response;
    this.send({ typeUrl: type, resourceNames, responseNonce: nonce, versionInfo });
  }

  nack(response: DiscoveryResponse, message: string, resourceNames: readonly string[] = []): void {
    const { typeUrl: type = '', nonce = '' } = response;
    this.send({ typeUrl: type, resourceNames, responseNonce: nonce, errorDetail: { code: 3, message } });
  }

  private send(request: envoy.service.discovery.v3.DiscoveryRequest): void {
    const node = this.node === undefined ? {} : { node: this.node };
    this.node = undefined;
    this.sendBytes(encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', { ...request, ...node }));
  }
}

/** Incremental. */
export class DeltaClient extends Stream<DeltaDiscoveryResponse> {
  private node: Node | undefined;

  constructor(address: string, node: Node, channel?: ChannelCredentials) {
    const decode = (bytes: Uint8Array) => decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes);
    super(address, 'DeltaAggregatedResources', decode, channel);
    this.node = node;
  }

  send(request: DeltaDiscoveryRequest): void {
    const node = this.node === undefined ? {} : { node: this.node };
    this.node = undefined;
    this.sendBytes(encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', { ...request, ...node }));
  }

  ack({ typeUrl: type = '', nonce = '' }: DeltaDiscoveryResponse): void {
    this.send({ typeUrl: type, responseNonce: nonce });
  }

  nack({ typeUrl: type = '', nonce = '' }: DeltaDiscoveryResponse, message: string): void {
    this.send({ typeUrl: type, responseNonce: nonce, errorDetail: { code: 3, message } });
  }
}

/** Names of the resources in a response, sorted. */
export function namesOf(response: DiscoveryResponse | DeltaDiscoveryResponse): string[] {
  const names = (response.resources ?? []).map((resource) =>
    'resource' in resource ? resource.name : nameOf(resource),
  );
  return names.map((name) => name ?? '').sort();
}

function nameOf(any: object): string {
  if (!('typeUrl' in any && 'value' in any)) return '';
  const message = unpackAny(any as Parameters<typeof unpackAny>[0]) as { name?: string; clusterName?: string };
  return message.name ?? message.clusterName ?? '';
}
