// Cross-checks of a whole world: how its resources fit together.

import { type KindName, kinds } from '@weft/api/resource/kind';
import type { Issue } from '@weft/lib/issue';
import type { World } from '../store/world.ts';
import { Findings } from './findings.ts';
import { kindRules } from './kind-rule.ts';
import { type CheckContext, MeshIndex } from './mesh-index.ts';

/** Every finding about how the resources fit together, in order of kind, namespace and name. */
export function checkWorld(world: World, context: CheckContext): Issue[] {
  const index = new MeshIndex(world, context);
  return kinds.flatMap((info) => checkKind(info.id, index));
}

function checkKind<K extends KindName>(kind: K, index: MeshIndex): readonly Issue[] {
  const { check } = kindRules[kind];
  if (check === undefined) return [];
  return index.world.list(kind).flatMap((resource) => {
    const findings = new Findings(resource.origin, resource.positions);
    check(resource, index, findings);
    return findings.issues;
  });
}
