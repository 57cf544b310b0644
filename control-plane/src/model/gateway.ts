// Gateways and the hosts that their servers offer to which namespaces.

import type { Gateway } from '@weft/api/resource/gateway';
import type { World } from '../store/world.ts';
import { labelsFit, resolveHost } from './host.ts';
import type { MeshSettings } from './settings.ts';
import { byAge, type Sourced, sourced } from './sourced.ts';

export type GatewayItem = Sourced<Gateway['spec']>;

/** A host of a server: `*.example.com`, and the namespace whose VirtualServices may bind to it (`*` any, `.` the gateway's own). */
export interface OfferedHost {
  readonly namespace: string;
  readonly host: string;
}

export function buildGateways(world: World): GatewayItem[] {
  return world
    .list('Gateway')
    .map((resource) => sourced(resource, resource.object.spec))
    .sort(byAge);
}

/** The gateways that a proxy with these labels serves. A gateway without a selector is served by none. */
export function gatewaysOf(
  gateways: readonly GatewayItem[],
  labels: Readonly<Record<string, string>>,
): readonly GatewayItem[] {
  return gateways.filter(({ spec }) => Object.keys(spec.selector ?? {}).length > 0 && labelsFit(spec.selector, labels));
}

/** A server's host entry, `host` or `namespace/host`. */
export function parseOfferedHost(entry: string, gatewayNamespace: string, settings: MeshSettings): OfferedHost {
  const slash = entry.indexOf('/');
  const written = slash < 0 ? '*' : entry.slice(0, slash);
  const host = resolveHost(entry.slice(slash + 1), gatewayNamespace, settings.clusterDomain);
  return { namespace: written === '.' ? gatewayNamespace : written, host };
}
