// The state-of-the-world variant: every request names all that is wanted, every response of a wildcard kind holds all there is.
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import type { Node, Response, XdsProtocol } from './protocol.ts';
import { unwrapResource } from './received.ts';
import type { ResourceChannel } from './resource-channel.ts';
import { errorDetail, refusalFields, StreamNode } from './stream-node.ts';

interface Sent {
  /** Nonce of the latest response, answered or not. */
  nonce: string;
  names: ReadonlySet<string>;
}

const noNames: ReadonlySet<string> = new Set();

/** One stream of the state-of-the-world variant. */
export class StateOfTheWorld implements XdsProtocol {
  private readonly node: StreamNode;
  private readonly sent: Map<ResourceChannel, Sent> = new Map();

  constructor(node: Node, nodeOnce: boolean) {
    this.node = new StreamNode(node, nodeOnce);
  }

  request(channel: ResourceChannel): Uint8Array | null {
    const before = this.sent.get(channel);
    // Asking for no names at all would be asking for everything.
    if (before === undefined && !channel.spec.isWildcard && channel.wanted.size === 0) return null;
    if (before !== undefined && isSame(before.names, this.names(channel))) return null;
    return this.encode(channel, before?.nonce ?? '', null);
  }

  answer(channel: ResourceChannel, response: Response, error: string | null): Uint8Array {
    return this.encode(channel, response.nonce, error);
  }

  // A name to be asked for anew is left out first: the request after this one, with it, is then a change that is answered.
  private names(channel: ResourceChannel): ReadonlySet<string> {
    const renewed = channel.renewed(this.sent.get(channel)?.names ?? noNames);
    return renewed.size === 0 ? channel.wanted : channel.wanted.difference(renewed);
  }

  private encode(channel: ResourceChannel, nonce: string, error: string | null): Uint8Array {
    const names = new Set(this.names(channel));
    channel.noteAsked();
    this.sent.set(channel, { nonce, names });
    return encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', {
      node: this.node.next(),
      typeUrl: channel.spec.typeUrl,
      versionInfo: channel.version,
      resourceNames: [...names],
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

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}
