// A world as it would be with some resources more: what a dry run and `analyze` look at.

import { type KindName, kinds } from '@weft/api/resource/kind';
import { createWorld, type StoredResource, type World, type WorldContent } from './world.ts';

/** The world with these resources added, or put in the place of those of the same name. */
export function overlayWorld(
  world: World,
  resources: readonly { readonly kind: KindName; readonly resource: StoredResource }[],
): World {
  const content: { [K in KindName]?: Map<string, StoredResource> } = {};
  for (const { id } of kinds)
    content[id] = new Map(world.list(id).map((each) => [keyOf(each), each as StoredResource] as const));
  for (const { kind, resource } of resources) content[kind]?.set(keyOf(resource), resource);
  // Each map holds resources of its own kind only.
  return createWorld(world.revision, content as WorldContent);
}

function keyOf(resource: {
  readonly object: { readonly metadata: { readonly name: string; readonly namespace?: string | undefined } };
}): string {
  const { name, namespace = '' } = resource.object.metadata;
  return `${namespace}/${name}`;
}
