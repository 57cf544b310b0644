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
  const index = meshIndexOf(items);
  const isSeen = ({ item }: HostItem) => isVisible(item.spec.exportTo, item.namespace, viewer);
  const exact = index.exact.get(host)?.find(isSeen);
  if (exact !== undefined) return exact.item;
  const wild = index.wild.filter((entry) => hostCovers(entry.host, host) && isSeen(entry));
  // Of equally long wildcards the first is the oldest.
  const [first, ...more] = wild;
  return (
    more.reduce((best, entry) => (best !== undefined && entry.host.length <= best.host.length ? best : entry), first)
      ?.item ?? null
  );
}

interface HostItem {
  readonly host: string;
  readonly item: VirtualServiceItem;
}

interface HostIndex {
  readonly exact: ReadonlyMap<string, readonly HostItem[]>;
  readonly wild: readonly HostItem[];
}

const indexes: WeakMap<readonly VirtualServiceItem[], HostIndex> = new WeakMap();

/** Hosts of sidecars' VirtualServices, made once per list. */
function meshIndexOf(items: readonly VirtualServiceItem[]): HostIndex {
  const known = indexes.get(items);
  if (known !== undefined) return known;
  const ofMesh = items.filter(({ gateways }) => gateways.includes(meshGateway));
  const hosts = ofMesh.flatMap((item) => item.hosts.map((host) => ({ host, item })));
  const index = {
    exact: Map.groupBy(hosts, ({ host }) => host),
    wild: hosts.filter(({ host }) => host.startsWith('*')),
  };
  indexes.set(items, index);
  return index;
}
