// The incremental variant: requests say what is wanted more or less than before, responses hold what changed.
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import { durationMs } from '@weft/lib/protobuf/duration';
import type { Node, Response, XdsProtocol } from './protocol.ts';
import type { ReceivedResource } from './received.ts';
import type { ResourceChannel } from './resource-channel.ts';
import { errorDetail, refusalFields, StreamNode } from './stream-node.ts';

/** One stream of the incremental variant. */
export class Incremental implements XdsProtocol {
  private readonly node: StreamNode;
  /** Names the server has been asked for on this stream. */
  private readonly subscribed: Map<ResourceChannel, ReadonlySet<string>> = new Map();

  constructor(node: Node, nodeOnce: boolean) {
    this.node = new StreamNode(node, nodeOnce);
  }

  request(channel: ResourceChannel): Uint8Array | null {
    const before = this.subscribed.get(channel);
    const changes = this.changes(channel);
    const hasChanges = changes.added.length > 0 || changes.gone.length > 0;
    // The first request of a wildcard kind subscribes to everything by naming nothing.
    const isNeeded = before === undefined ? channel.spec.isWildcard || hasChanges : hasChanges;
    return isNeeded ? this.encode(channel, changes, '', null) : null;
  }

  answer(channel: ResourceChannel, response: Response, error: string | null): Uint8Array {
    return this.encode(channel, this.changes(channel), response.nonce, error);
  }

  private changes(channel: ResourceChannel): { added: string[]; gone: string[] } {
    const before = this.subscribed.get(channel) ?? new Set();
    const renewed = channel.renewed(before);
    return {
      added: [...channel.wanted].filter((name) => !before.has(name) || renewed.has(name)),
      gone: [...before].filter((name) => !channel.wanted.has(name)),
    };
  }

  private encode(
    channel: ResourceChannel,
    changes: { added: string[]; gone: string[] },
    nonce: string,
    error: string | null,
  ): Uint8Array {
    const isFirst = !this.subscribed.has(channel);
    this.subscribed.set(channel, new Set(channel.wanted));
    channel.noteAsked();
    return encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', {
      node: this.node.next(),
      typeUrl: channel.spec.typeUrl,
      resourceNamesSubscribe: changes.added,
      resourceNamesUnsubscribe: changes.gone,
      initialResourceVersions: isFirst ? heldVersions(channel) : undefined,
      responseNonce: nonce,
      errorDetail: errorDetail(error),
    });
  }

  refuse(response: Response, error: string): Uint8Array {
    const message = { node: this.node.next(), ...refusalFields(response, error) };
    return encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', message);
  }

  parse(bytes: Uint8Array): Response {
    const message = decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes);
    const resources = (message.resources ?? []).map(
      (entry): ReceivedResource => ({
        name: entry.name ?? '',
        version: entry.version ?? '',
        resource: entry.resource ?? { typeUrl: '', value: new Uint8Array(0) },
        ttlMs: durationMs(entry.ttl),
      }),
    );
    const removed = [
      ...(message.removedResources ?? []),
      ...(message.removedResourceNames ?? []).map((entry) => entry.name ?? ''),
    ];
    return {
      typeUrl: message.typeUrl ?? '',
      nonce: message.nonce ?? '',
      update: { version: message.systemVersionInfo ?? '', resources, removed, isFull: false },
      controlPlane: message.controlPlane?.identifier ?? '',
    };
  }
}

/** What survived from an earlier stream, so that the server sends the differences only. What it took away it is to send anew. */
function heldVersions(channel: ResourceChannel): { [name: string]: string } {
  const held = [...channel.accepted].filter(([name]) => !channel.absent.has(name));
  return Object.fromEntries(held.map(([name, accepted]) => [name, accepted.version]));
}
