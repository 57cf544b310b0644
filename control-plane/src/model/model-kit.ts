// For tests: resources with as little writing as possible.

import type { AnyResource, KindName, ResourceKinds } from '@weft/api/resource/kind';
import { worldOf } from '../store/world.ts';
import { buildMesh, type MeshModel } from './mesh.ts';
import { defaultSettings, type MeshSettings } from './settings.ts';

const versions: Readonly<Record<KindName, string>> = {
  Namespace: 'v1',
  Secret: 'v1',
  Service: 'v1',
  ServiceEntry: 'networking.istio.io/v1',
  WorkloadEntry: 'networking.istio.io/v1',
  VirtualService: 'networking.istio.io/v1',
  DestinationRule: 'networking.istio.io/v1',
  Gateway: 'networking.istio.io/v1',
  PeerAuthentication: 'security.istio.io/v1',
  AuthorizationPolicy: 'security.istio.io/v1',
  Process: 'weft.dev/v1alpha1',
};

/** A resource; `place` is `name` or `namespace/name`. */
export function resource<K extends KindName>(
  kind: K,
  place: string,
  spec: NonNullable<ResourceKinds[K] extends { spec?: infer S } ? S : never>,
  metadata: Partial<ResourceKinds[K]['metadata']> = {},
): AnyResource {
  const [name = '', namespace = 'default'] = place.split('/').reverse();
  const object = { apiVersion: versions[kind], kind, metadata: { name, namespace, ...metadata }, spec };
  return object as unknown as AnyResource;
}

/** The mesh of these resources. */
export function meshOf(resources: readonly AnyResource[], settings: Partial<MeshSettings> = {}): MeshModel {
  return buildMesh(worldOf(resources), { ...defaultSettings, ...settings });
}
