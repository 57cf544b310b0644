// Cross-checks of a whole world: how its resources fit together.

import { type KindName, kinds } from '@weft/api/resource/kind';
import type { Issue } from '@weft/lib/issue';
import type { StoredResource, World } from '../store/world.ts';
import { Findings } from './findings.ts';
import { kindRules } from './kind-rule.ts';
import { type CheckContext, MeshIndex } from './mesh-index.ts';

/** Every finding about how the resources fit together, in order of kind, namespace and name. */
export function checkWorld(world: World, context: CheckContext): Issue[] {
  const index = new MeshIndex(world, context);
  return kinds.flatMap((info) => checkKind(info.id, index));
}

function checkKind<K extends KindName>(kind: K, index: MeshIndex): readonly Issue[] {
  return index.world.list(kind).flatMap((resource) => checkStored(kind, resource, index));
}

/** The findings about one resource, by an index of the world it is in. */
export function checkStored<K extends KindName>(
  kind: K,
  resource: StoredResource<K>,
  index: MeshIndex,
): readonly Issue[] {
  const findings = new Findings(resource.origin, resource.positions);
  kindRules[kind].check?.(resource, index, findings);
  return findings.issues;
}

/** The findings about one resource of the world, for the answer to its writer: none of them keeps it from being written. */
export function checkOne(
  kind: KindName,
  namespace: string,
  name: string,
  world: World,
  context: CheckContext,
): readonly Issue[] {
  if (kindRules[kind].check === undefined) return [];
  const resource = world.get(kind, namespace, name);
  if (resource === null) return [];
  const found = checkStored(kind, resource, new MeshIndex(world, context));
  return found.map((issue) => (issue.level === 'error' ? { ...issue, level: 'warning' } : issue));
}
