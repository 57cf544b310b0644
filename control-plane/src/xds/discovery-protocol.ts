// The two protocols of a stream, state of the world and incremental, behind one seam: what a request says, and how an update is written.

import type { envoy } from '@weft/api/xds/types';
import { decodeMessage, encodeMessage } from '@weft/lib/protobuf/codec';
import { type ResourceType, typeUrls } from './resource-type.ts';
import type { Subscription, Update } from './subscription.ts';

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
      error: request.errorDetail === undefined ? null : (request.errorDetail.message ?? 'no reason given'),
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
      error: request.errorDetail === undefined ? null : (request.errorDetail.message ?? 'no reason given'),
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
