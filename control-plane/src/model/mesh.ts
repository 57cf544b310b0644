// The mesh as one immutable value, free of Kubernetes and of xDS: built from a world, read by `translate`.

import type { KindName } from '@weft/api/resource/kind';
import type { StoredResource, World } from '../store/world.ts';
import { type Authorizations, buildAuthorizations } from './authorization.ts';
import { buildDestinationRules, type DestinationRules } from './destination-rule.ts';
import { buildEndpoints, type EndpointTable, keepEndpoints } from './endpoint.ts';
import { buildGateways, type GatewayItem } from './gateway.ts';
import { isVisible } from './host.ts';
import { buildPeerAuthentications, type PeerAuthentications } from './peer-authentication.ts';
import { buildServices, type MeshService } from './service.ts';
import { defaultSettings, type MeshSettings } from './settings.ts';
import { buildVirtualServices, type VirtualServiceItem } from './virtual-service.ts';

export interface MeshModel {
  readonly revision: number;
  /** The last revision that changed more than endpoints. Equal ones give equal listeners, routes, clusters and secrets. */
  readonly configRevision: number;
  readonly settings: MeshSettings;
  readonly services: readonly MeshService[];
  readonly endpoints: EndpointTable;
  readonly virtualServices: readonly VirtualServiceItem[];
  readonly destinationRules: DestinationRules;
  readonly gateways: readonly GatewayItem[];
  readonly peerAuthentications: PeerAuthentications;
  readonly authorizations: Authorizations;
  readonly secrets: readonly StoredResource<'Secret'>[];
  /** The labels of callers that routes or rules ask for, sorted: with the namespace they say all there is to know of one. */
  readonly callerLabels: readonly string[];
  /** What it was built from, to find out what a later world changes. */
  readonly world: World;
}

/** Kinds that make listeners, routes, clusters and secrets. WorkloadEntry makes endpoints; Process and Namespace make nothing here. */
const configKinds: readonly KindName[] = [
  'Secret',
  'Service',
  'ServiceEntry',
  'VirtualService',
  'DestinationRule',
  'Gateway',
  'PeerAuthentication',
  'AuthorizationPolicy',
];

/** The model of a world. With the model before it, what did not change is shared and `configRevision` may stay. */
export function buildMesh(
  world: World,
  settings: MeshSettings = defaultSettings,
  previous: MeshModel | null = null,
): MeshModel {
  if (previous === null || previous.settings !== settings || hasConfigChanged(previous.world, world)) {
    return buildAll(world, settings);
  }
  const built = buildEndpoints(world, previous.services, previous.peerAuthentications, settings);
  const { endpoints, isSame } = keepEndpoints(built, previous.endpoints);
  const configRevision = isSame ? previous.configRevision : world.revision;
  return { ...previous, revision: world.revision, configRevision, endpoints, world };
}

function buildAll(world: World, settings: MeshSettings): MeshModel {
  const services = buildServices(world, settings);
  const peerAuthentications = buildPeerAuthentications(world, settings);
  return {
    revision: world.revision,
    configRevision: world.revision,
    settings,
    services,
    endpoints: buildEndpoints(world, services, peerAuthentications, settings),
    virtualServices: buildVirtualServices(world, settings),
    destinationRules: buildDestinationRules(world, settings),
    gateways: buildGateways(world),
    peerAuthentications,
    authorizations: buildAuthorizations(world, settings),
    secrets: world.list('Secret'),
    callerLabels: callerLabels(world),
    world,
  };
}

function callerLabels(world: World): string[] {
  const asked = new Set<string>();
  const ask = (labels: Readonly<Record<string, string>> = {}): void => {
    for (const label of Object.keys(labels)) asked.add(label);
  };
  for (const { object } of world.list('VirtualService')) {
    const { http = [], tls = [], tcp = [] } = object.spec;
    for (const { match = [] } of [...http, ...tls, ...tcp]) for (const { sourceLabels } of match) ask(sourceLabels);
  }
  for (const { object } of world.list('DestinationRule')) ask(object.spec.workloadSelector?.matchLabels);
  return [...asked].sort();
}

function hasConfigChanged(before: World, after: World): boolean {
  return configKinds.some((kind) => {
    const [left, right] = [before.list(kind), after.list(kind)];
    return left.length !== right.length || left.some((resource, index) => !isSameObject(resource, right[index]));
  });
}

function isSameObject(a: StoredResource, b: StoredResource | undefined): boolean {
  return b !== undefined && (a === b || (a.object === b.object && a.origin === b.origin));
}

/** The services that callers of a namespace see, one per host: the namespace's own before others, the older before the younger. */
export function visibleServices(mesh: MeshModel, namespace: string): MeshService[] {
  const byHost = new Map<string, MeshService>();
  for (const service of mesh.services) {
    if (!isVisible(service.exportTo, service.namespace, namespace)) continue;
    const rival = byHost.get(service.host);
    if (rival === undefined || (rival.namespace !== namespace && service.namespace === namespace)) {
      byHost.set(service.host, service);
    }
  }
  return [...byHost.values()].sort((a, b) => (a.host < b.host ? -1 : 1));
}
