// Namespaces that exist because something is in them, without a Namespace resource of their own.

import { createHash } from 'node:crypto';
import { type AnyResource, kinds } from '@weft/api/resource/kind';
import type { StoredResource } from '../store/world.ts';
import type { ResourceContext } from './resource-context.ts';

/** `default`, and those of resources and of connected proxies, as objects; those with a resource of their own are left out. */
export function impliedNamespaces({ store, checkContext }: ResourceContext): StoredResource[] {
  const { world } = store;
  const names = new Set(['default', ...checkContext().proxies.map(({ namespace }) => namespace)]);
  for (const info of kinds) {
    if (!info.namespaced) continue;
    for (const { object } of world.list(info.id)) names.add(object.metadata.namespace ?? 'default');
  }
  for (const { object } of world.list('Namespace')) names.delete(object.metadata.name);
  return [...names].map((name) => implied(name, store.revision));
}

function implied(name: string, revision: number): StoredResource {
  const hash = createHash('sha256').update(name).digest('hex');
  const object: AnyResource = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      uid: `00000000-0000-4000-8000-${hash.slice(0, 12)}`,
      resourceVersion: String(revision),
      labels: { 'kubernetes.io/metadata.name': name },
    },
  };
  return { object, origin: { kind: 'Namespace', namespace: '', name }, layer: 'api', positions: null };
}
