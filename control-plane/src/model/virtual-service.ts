// VirtualServices with their hosts and gateways resolved.

import type { VirtualService } from '@weft/api/resource/virtual-service';
import type { World } from '../store/world.ts';
import { hostCovers, isVisible, resolveHost } from './host.ts';
import type { MeshSettings } from './settings.ts';
import { byAge, type Sourced, sourced } from './sourced.ts';

/** The gateway name that means every sidecar. */
export const meshGateway = 'mesh';

export interface VirtualServiceItem extends Sourced<VirtualService['spec']> {
  /** Fully qualified, lower case. */
  readonly hosts: readonly string[];
  /** `mesh` or `namespace/name`. */
  readonly gateways: readonly string[];
}

export function buildVirtualServices(world: World, settings: MeshSettings): VirtualServiceItem[] {
  const items = world.list('VirtualService').map((resource) => {
    const item = sourced(resource, resource.object.spec);
    return {
      ...item,
      hosts: (item.spec.hosts ?? []).map((host) => resolveHost(host, item.namespace, settings.clusterDomain)),
      gateways: resolveGateways(item.spec.gateways, item.namespace),
    };
  });
  return items.sort(byAge);
}

/** `gateways` of a VirtualService or of one of its matches as `mesh` or `namespace/name`. */
export function resolveGateways(gateways: readonly string[] | undefined, namespace: string): string[] {
  if (gateways === undefined || gateways.length === 0) return [meshGateway];
  return gateways.map((name) => (name === meshGateway || name.includes('/') ? name : `${namespace}/${name}`));
}

/** The VirtualService that decides for a host in sidecars of a namespace: exact host before wildcard, older before younger. */
export function findVirtualService(
  items: readonly VirtualServiceItem[],
  host: string,
  viewer: string,
): VirtualServiceItem | null {
  let best: VirtualServiceItem | null = null;
  let bestLength = -1;
  for (const item of items) {
    if (!item.gateways.includes(meshGateway) || !isVisible(item.spec.exportTo, item.namespace, viewer)) continue;
    for (const pattern of item.hosts) {
      if (!hostCovers(pattern, host)) continue;
      const length = pattern === host ? Number.MAX_SAFE_INTEGER : pattern.length;
      if (length > bestLength) {
        best = item;
        bestLength = length;
      }
    }
  }
  return best;
}
