// The state-of-the-world variant: every request names all that is wanted, every response of a wildcard kind holds all there is.
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import type { Node, Response, XdsProtocol } from './protocol.ts';
import { type ResourceChannel, unwrapResource } from './resource-channel.ts';
import { errorDetail, refusalFields, StreamNode } from './stream-node.ts';

interface Sent {
  /** Nonce of the latest response, answered or not. */
  nonce: string;
  names: string;
}

/** One stream of the state-of-the-world variant. */
export class StateOfTheWorld implements XdsProtocol {
  private readonly node: StreamNode;
  private readonly sent: Map<ResourceChannel, Sent> = new Map();

  constructor(node: Node, nodeOnce: boolean) {
    this.node = new StreamNode(node, nodeOnce);
  }

  request(channel: ResourceChannel): Uint8Array | null {
    const before = this.sent.get(channel);
    const names = [...channel.wanted];
    // Asking for no names at all would be asking for everything.
    if (before === undefined && !channel.spec.isWildcard && names.length === 0) return null;
    const key = names.join('\0');
    if (before !== undefined && before.names === key) return null;
    return this.encode(channel, before?.nonce ?? '', null);
  }

  answer(channel: ResourceChannel, response: Response, error: string | null): Uint8Array {
    return this.encode(channel, response.nonce, error);
  }

  private encode(channel: ResourceChannel, nonce: string, error: string | null): Uint8Array {
    const names = [...channel.wanted];
    this.sent.set(channel, { nonce, names: names.join('\0') });
    return encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', {
      node: this.node.next(),
      typeUrl: channel.spec.typeUrl,
      versionInfo: channel.version,
      resourceNames: names,
      responseNonce: nonce,
      errorDetail: errorDetail(error),
    });
  }

  refuse(response: Response, error: string): Uint8Array {
    const message = { node: this.node.next(), ...refusalFields(response, error) };
    return encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', message);
  }

  parse(bytes: Uint8Array): Response {
    const message = decodeMessage('envoy.service.discovery.v3.DiscoveryResponse', bytes);
    const version = message.versionInfo ?? '';
    const resources = (message.resources ?? []).map(unwrapResource);
    return {
      typeUrl: message.typeUrl ?? '',
      nonce: message.nonce ?? '',
      update: { version, resources, removed: [], isFull: true },
      controlPlane: message.controlPlane?.identifier ?? '',
    };
  }
}
