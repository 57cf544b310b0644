// The two protocols of a stream, state of the world and incremental, behind one seam: what a request says, and how an update is written.

import type { envoy } from '@weft/api/xds/types';
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import { type ResourceType, typeUrls } from './resource-type.ts';
import type { Subscription, Update } from './subscription.ts';

/** Of a client's reason, as much as is kept, also after it has gone. */
const maxReasonLength = 16 * 1024;

/** What a request of either protocol says. */
export interface DiscoveryMessage {
  readonly typeUrl: string;
  readonly node: envoy.config.core.v3.Node | null;
  readonly nonce: string;
  /** The client's reason for not taking the response of `nonce`. */
  readonly error: string | null;
  /** The version that the client says it has; null where the protocol does not say it. */
  readonly version: string | null;
  /** Tells the subscription what is wanted from now on. */
  readonly applyTo: (subscription: Subscription, isFirst: boolean) => void;
}

export interface DiscoveryProtocol {
  readonly name: 'sotw' | 'delta';
  /** Throws ProtobufError. */
  readonly decode: (bytes: Uint8Array) => DiscoveryMessage;
  readonly encode: (type: ResourceType, update: Update, revision: number, nonce: string) => Uint8Array;
  /** The answer for a type that is not served. */
  readonly encodeEmpty: (typeUrl: string, revision: number, nonce: string) => Uint8Array;
}

export const stateOfTheWorld: DiscoveryProtocol = {
  name: 'sotw',
  decode: (bytes) => {
    const request = decodeMessage('envoy.service.discovery.v3.DiscoveryRequest', bytes);
    return {
      typeUrl: request.typeUrl ?? '',
      node: request.node ?? null,
      nonce: request.responseNonce ?? '',
      error: reasonOf(request.errorDetail),
      version: request.versionInfo ?? '',
      applyTo: (subscription) => subscription.setNames(request.resourceNames ?? []),
    };
  },
  encode: (type, { target }, revision, nonce) =>
    encodeMessage('envoy.service.discovery.v3.DiscoveryResponse', {
      versionInfo: String(revision),
      resources: [...target.values()].map(({ any }) => any),
      typeUrl: typeUrls[type],
      nonce,
    }),
  encodeEmpty: (typeUrl, revision, nonce) =>
    encodeMessage('envoy.service.discovery.v3.DiscoveryResponse', { versionInfo: String(revision), typeUrl, nonce }),
};

export const incremental: DiscoveryProtocol = {
  name: 'delta',
  decode: (bytes) => {
    const request = decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', bytes);
    return {
      typeUrl: request.typeUrl ?? '',
      node: request.node ?? null,
      nonce: request.responseNonce ?? '',
      error: reasonOf(request.errorDetail),
      version: null,
      applyTo: (subscription, isFirst) => {
        if (isFirst) subscription.setVersions(request.initialResourceVersions ?? {});
        subscription.unsubscribe(request.resourceNamesUnsubscribe ?? []);
        subscription.subscribe(request.resourceNamesSubscribe ?? [], isFirst);
      },
    };
  },
  encode: (type, { changed, removed }, revision, nonce) =>
    encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', {
      systemVersionInfo: String(revision),
      resources: changed.map(({ name, version, any }) => ({ name, version, resource: any })),
      typeUrl: typeUrls[type],
      ...(removed.length > 0 ? { removedResources: removed } : {}),
      nonce,
    }),
  encodeEmpty: (typeUrl, revision, nonce) =>
    encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', {
      systemVersionInfo: String(revision),
      typeUrl,
      nonce,
    }),
};

function reasonOf(detail: { readonly message?: string | undefined } | undefined): string | null {
  if (detail === undefined) return null;
  const reason = detail.message ?? 'no reason given';
  // Through bytes: a part of a string keeps the whole.
  return reason.length <= maxReasonLength ? reason : `${Buffer.from(reason.slice(0, maxReasonLength)).toString()}…`;
}
