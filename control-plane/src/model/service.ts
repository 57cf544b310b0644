// Services of the mesh, from Service and ServiceEntry: a host, its ports, and how its endpoints are found.

import type { ServiceEntry } from '@weft/api/resource/service-entry';
import type { Origin } from '@weft/lib/issue';
import type { StoredResource, World } from '../store/world.ts';
import { resolveHost } from './host.ts';
import { type Protocol, portProtocol, protocolOf } from './protocol.ts';
import type { MeshSettings } from './settings.ts';

/** One port of a service. */
export interface MeshPort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** Port of the workload: a number, or the name of one of its ports. */
  readonly targetPort: number | string;
}

/** `static`: endpoints are known; `dns`: endpoints are names; `none`: the caller's own destination is used. */
export type Resolution = 'static' | 'dns' | 'dns-round-robin' | 'none';

export interface MeshService {
  /** `namespace/host`: unique in the model. */
  readonly id: string;
  readonly host: string;
  readonly namespace: string;
  readonly origin: Origin;
  readonly createdAt: string;
  readonly ports: readonly MeshPort[];
  readonly resolution: Resolution;
  /** Outside the mesh: never called with the mesh's identity. */
  readonly isExternal: boolean;
  /** Kubernetes' short names apply (`reviews`, `reviews.default` …); the name without namespace. */
  readonly shortName: string | null;
  /** Virtual addresses, none in local mode. */
  readonly addresses: readonly string[];
  readonly exportTo: readonly string[] | undefined;
  /** Selects WorkloadEntries of the namespace. */
  readonly selector: Readonly<Record<string, string>> | null;
  /** Endpoints written into the resource itself. */
  readonly inline: readonly InlineEndpoint[];
  /** Names that the certificate of the service must have, from a ServiceEntry. */
  readonly subjectAltNames: readonly string[];
}

export type InlineEndpoint = NonNullable<ServiceEntry['spec']['endpoints']>[number];

/** All services: those of Kubernetes before entries, oldest first; of rivals for a host in one namespace only the first. */
export function buildServices(world: World, settings: MeshSettings): MeshService[] {
  const services = world.list('Service').map((resource) => kubernetesService(resource, settings));
  const entries = world.list('ServiceEntry').flatMap(entryServices);
  const byId = new Map<string, MeshService>();
  for (const service of [...services.sort(byAge), ...entries.sort(byAge)]) {
    if (!byId.has(service.id)) byId.set(service.id, service);
  }
  return [...byId.values()];
}

function byAge(a: MeshService, b: MeshService): number {
  return compare(a.createdAt, b.createdAt) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function kubernetesService(resource: StoredResource<'Service'>, settings: MeshSettings): MeshService {
  const { metadata, spec } = resource.object;
  const namespace = metadata.namespace ?? 'default';
  const host = resolveHost(metadata.name, namespace, settings.clusterDomain);
  const external = spec.type === 'ExternalName' ? spec.externalName : undefined;
  const ports = (spec.ports ?? []).map((port) => ({
    number: port.port,
    name: port.name ?? '',
    protocol: portProtocol(port.name, port.appProtocol, port.protocol),
    targetPort: port.targetPort ?? port.port,
  }));
  return {
    id: `${namespace}/${host}`,
    host,
    namespace,
    origin: resource.origin,
    createdAt: metadata.creationTimestamp ?? '',
    ports: ports.filter((port) => port.protocol !== 'udp'),
    resolution: external === undefined ? 'static' : 'dns',
    isExternal: external !== undefined,
    shortName: metadata.name,
    addresses: spec.clusterIP === undefined || spec.clusterIP === 'None' ? [] : [spec.clusterIP],
    exportTo: metadata.annotations?.['networking.istio.io/exportTo']?.split(',').map((entry) => entry.trim()),
    // A Kubernetes service without a selector has no endpoints of its own; one that selects nothing selects nothing.
    selector: spec.selector === undefined || Object.keys(spec.selector).length === 0 ? null : spec.selector,
    inline: external === undefined ? [] : [{ address: external }],
    subjectAltNames: [],
  };
}

const resolutions: Readonly<Record<string, Resolution>> = {
  STATIC: 'static',
  DNS: 'dns',
  DNS_ROUND_ROBIN: 'dns-round-robin',
  NONE: 'none',
  DYNAMIC_DNS: 'none',
};

function entryServices(resource: StoredResource<'ServiceEntry'>): MeshService[] {
  const { metadata, spec } = resource.object;
  const namespace = metadata.namespace ?? 'default';
  const resolution = resolutions[spec.resolution ?? 'NONE'] ?? 'none';
  const ports = (spec.ports ?? []).map((port) => ({
    number: port.number,
    name: port.name,
    protocol: port.protocol === undefined ? portProtocol(port.name, undefined, undefined) : protocolOf(port.protocol),
    targetPort: port.targetPort ?? port.number,
  }));
  return spec.hosts.map((written) => {
    // Unlike elsewhere a name without a dot is no Service of the namespace here: the entry says itself what its hosts are.
    const host = written.toLowerCase();
    const isDns = resolution === 'dns' || resolution === 'dns-round-robin';
    const byHost = isDns && (spec.endpoints ?? []).length === 0 && !host.startsWith('*');
    return {
      id: `${namespace}/${host}`,
      host,
      namespace,
      origin: resource.origin,
      createdAt: metadata.creationTimestamp ?? '',
      ports: ports.filter((port) => port.protocol !== 'udp'),
      resolution,
      isExternal: spec.location !== 'MESH_INTERNAL',
      shortName: null,
      addresses: spec.addresses ?? [],
      exportTo: spec.exportTo,
      selector: spec.workloadSelector?.labels ?? null,
      inline: byHost ? [{ address: host }] : (spec.endpoints ?? []),
      subjectAltNames: spec.subjectAltNames ?? [],
    };
  });
}

/** The names by which callers of a namespace may call the service. */
export function serviceNames(service: MeshService, callerNamespace: string, clusterDomain: string): string[] {
  if (service.shortName === null) return [service.host];
  const qualified = `${service.shortName}.${service.namespace}`;
  const names = [service.host, `${qualified}.svc`, qualified];
  if (service.namespace === callerNamespace) names.push(service.shortName);
  return service.host === `${qualified}.svc.${clusterDomain}` ? names : [service.host];
}
