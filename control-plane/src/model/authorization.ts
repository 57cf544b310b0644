// Which AuthorizationPolicies hold for a workload: those of the mesh's root namespaces, of its namespace, and of its labels.

import type { AuthorizationPolicy } from '@weft/api/resource/authorization-policy';
import type { World } from '../store/world.ts';
import { labelsFit } from './host.ts';
import type { WorkloadIdentityView } from './peer-authentication.ts';
import type { MeshSettings } from './settings.ts';
import { byAge, type Sourced, sourced } from './sourced.ts';

export type AuthorizationItem = Sourced<NonNullable<AuthorizationPolicy['spec']>>;

/** The policies of one workload. Any ALLOW policy turns the default from yes to no. */
export interface WorkloadAuthorization {
  readonly deny: readonly AuthorizationItem[];
  readonly allow: readonly AuthorizationItem[];
}

export class Authorizations {
  private readonly items: readonly AuthorizationItem[];
  private readonly roots: readonly string[];

  constructor(items: readonly AuthorizationItem[], settings: MeshSettings) {
    this.items = [...items].sort(byAge);
    this.roots = settings.rootNamespaces;
  }

  of(workload: WorkloadIdentityView): WorkloadAuthorization {
    const fitting = this.items.filter(
      ({ namespace, spec }) =>
        (namespace === workload.namespace || this.roots.includes(namespace)) &&
        spec.targetRef === undefined &&
        (spec.targetRefs ?? []).length === 0 &&
        labelsFit(spec.selector?.matchLabels, workload.labels),
    );
    return {
      deny: fitting.filter(({ spec }) => spec.action === 'DENY'),
      allow: fitting.filter(({ spec }) => spec.action === undefined || spec.action === 'ALLOW'),
    };
  }
}

export function buildAuthorizations(world: World, settings: MeshSettings): Authorizations {
  const items = world.list('AuthorizationPolicy').map((resource) => sourced(resource, resource.object.spec ?? {}));
  return new Authorizations(items, settings);
}
