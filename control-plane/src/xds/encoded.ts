// Resources as bytes, encoded once: equal resources of any number of proxies share them.

import { hash } from 'node:crypto';
import type { google } from '@weft/api/xds/types';
import { encodeMessage, type MessageName } from '@weft/lib/protobuf/codec';
import type { ConfigSnapshot, EndpointSnapshot } from '../translate/snapshot.ts';
import { type ResourceType, typeUrls } from './resource-type.ts';

/** One resource, ready for the wire. `version` is made from its content, so that it survives a restart of the control plane. */
export interface EncodedResource {
  readonly name: string;
  readonly version: string;
  readonly any: google.protobuf.Any;
}

export type EncodedSet = ReadonlyMap<string, EncodedResource>;
export type EncodedSnapshot = Readonly<Record<ResourceType, EncodedSet>>;

export const emptySet: EncodedSet = new Map();
export const emptySnapshot: EncodedSnapshot = {
  cds: emptySet,
  eds: emptySet,
  sds: emptySet,
  lds: emptySet,
  rds: emptySet,
};

const messageNames: Readonly<Record<ResourceType, MessageName>> = {
  cds: 'envoy.config.cluster.v3.Cluster',
  eds: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  sds: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  lds: 'envoy.config.listener.v3.Listener',
  rds: 'envoy.config.route.v3.RouteConfiguration',
};

/** Encodes resources and gives back the same object for the same content. */
export class ResourceEncoder {
  private current: Map<string, EncodedResource> = new Map();
  private previous: Map<string, EncodedResource> = new Map();
  /** Messages that several proxies share are encoded once, without a look at their content. */
  private readonly byMessage: WeakMap<object, EncodedResource> = new WeakMap();

  /** Forgets what nobody asked for since the last but one call; called when a new mesh comes. */
  turn(): void {
    this.previous = this.current;
    this.current = new Map();
  }

  encodeConfig(config: ConfigSnapshot): Omit<EncodedSnapshot, 'eds'> {
    return {
      cds: this.encodeSet('cds', config.clusters),
      sds: this.encodeSet('sds', config.secrets),
      lds: this.encodeSet('lds', config.listeners),
      rds: this.encodeSet('rds', config.routes),
    };
  }

  encodeEndpoints(endpoints: EndpointSnapshot): EncodedSet {
    return this.encodeSet('eds', endpoints);
  }

  private encodeSet(type: ResourceType, messages: ReadonlyMap<string, object>): EncodedSet {
    const set = new Map<string, EncodedResource>();
    for (const [name, message] of messages) set.set(name, this.encode(type, name, message));
    return set;
  }

  private encode(type: ResourceType, name: string, message: object): EncodedResource {
    const encoded = this.byMessage.get(message);
    if (encoded !== undefined) return encoded;
    const value = encodeMessage(messageNames[type], message);
    const version = hash('sha1', value, 'hex').slice(0, 16);
    const key = `${type}\0${name}\0${version}`;
    const known = this.current.get(key) ?? this.previous.get(key);
    const resource = known ?? { name, version, any: { typeUrl: typeUrls[type], value } };
    this.current.set(key, resource);
    this.byMessage.set(message, resource);
    return resource;
  }
}
