// Endpoints of services: which workloads stand behind each port, who they are and whether they speak mutual TLS. They change most,
// hence they are built by themselves.

import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { StoredResource, World } from '../store/world.ts';
import { labelsFit } from './host.ts';
import type { PeerAuthentications } from './peer-authentication.ts';
import type { InlineEndpoint, MeshPort, MeshService } from './service.ts';
import { type MeshSettings, spiffeId } from './settings.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly isHealthy: boolean;
  /** SPIFFE id, or null when the workload has none. */
  readonly identity: string | null;
  /** Whether connections to it are mutual TLS unless a DestinationRule says otherwise. */
  readonly mutualTls: boolean;
  /** `region/zone/subzone`, empty when unknown. */
  readonly locality: string;
  readonly workload: string;
}

/** Endpoints by `service id:port`. */
export type EndpointTable = ReadonlyMap<string, readonly Endpoint[]>;

/** The key of a service port in an `EndpointTable`. */
export function endpointKey(service: MeshService, port: MeshPort): string {
  return `${service.id}:${port.number}`;
}

/** What a workload is known by before a port is chosen. */
interface Workload {
  readonly spec: InlineEndpoint;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespace: string;
  readonly name: string;
  readonly isHealthy: boolean;
  readonly hasSidecar: boolean;
  /** Whether it is a process of the local mesh, whose ports are called by the numbers of its services too. */
  readonly isProcess: boolean;
}

/** Label by which a workload says that it accepts the mesh's mutual TLS (`istio`) or not (`disabled`). */
const tlsModeLabel = 'security.istio.io/tlsMode';

/** By it a registered workload names its Process. */
const processAnnotation = 'weft.dev/process';

export function buildEndpoints(
  world: World,
  services: readonly MeshService[],
  authentications: PeerAuthentications,
  settings: MeshSettings,
): EndpointTable {
  const index = new WorkloadIndex(world);
  const table = new Map<string, readonly Endpoint[]>();
  for (const service of services) {
    const workloads = workloadsOf(service, index);
    for (const port of service.ports) {
      const endpoints = workloads.map((workload) => endpointOf(service, port, workload, authentications, settings));
      table.set(endpointKey(service, port), endpoints.filter((endpoint) => endpoint !== null).sort(byAddress));
    }
  }
  return table;
}

function byAddress(a: Endpoint, b: Endpoint): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port;
}

/** Registered workloads by one label each way: a selector looks only where its first label is. */
class WorkloadIndex {
  private readonly byLabel: Map<string, Workload[]> = new Map();

  constructor(world: World) {
    for (const resource of world.list('WorkloadEntry')) {
      const workload = registeredWorkload(resource, world);
      for (const [key, value] of Object.entries(workload.labels))
        this.add(labelKey(workload.namespace, key, value), workload);
    }
  }

  private add(key: string, workload: Workload): void {
    const list = this.byLabel.get(key);
    if (list === undefined) this.byLabel.set(key, [workload]);
    else list.push(workload);
  }

  selected(namespace: string, selector: Readonly<Record<string, string>>): readonly Workload[] {
    const [first] = Object.entries(selector);
    if (first === undefined) return [];
    const candidates = this.byLabel.get(labelKey(namespace, ...first)) ?? [];
    return candidates.filter((workload) => labelsFit(selector, workload.labels));
  }
}

function labelKey(namespace: string, key: string, value: string): string {
  return `${namespace}\0${key}\0${value}`;
}

function registeredWorkload(resource: StoredResource<'WorkloadEntry'>, world: World): Workload {
  const { metadata, spec, status } = resource.object;
  const labels = { ...metadata.labels, ...spec.labels };
  const tlsMode = labels[tlsModeLabel];
  return {
    spec,
    labels,
    namespace: metadata.namespace ?? 'default',
    name: metadata.name,
    isHealthy: !isMarkedUnhealthy(status),
    hasSidecar: tlsMode === undefined ? isProxiedProcess(resource, world) : tlsMode === 'istio',
    isProcess: metadata.annotations?.[processAnnotation] !== undefined,
  };
}

/** A process of the local mesh is registered by its supervisor with the port of its sidecar, unless it wants none. */
function isProxiedProcess(resource: StoredResource<'WorkloadEntry'>, world: World): boolean {
  const { metadata } = resource.object;
  const process = metadata.annotations?.[processAnnotation];
  if (process === undefined) return false;
  return world.get('Process', metadata.namespace ?? 'default', process)?.object.spec.proxy?.enabled !== false;
}

function isMarkedUnhealthy(status: unknown): boolean {
  if (typeof status !== 'object' || status === null || !('conditions' in status)) return false;
  const { conditions } = status;
  if (!Array.isArray(conditions)) return false;
  return conditions.some(
    (entry: unknown) =>
      typeof entry === 'object' &&
      entry !== null &&
      'type' in entry &&
      entry.type === 'Healthy' &&
      'status' in entry &&
      entry.status === 'False',
  );
}

function workloadsOf(service: MeshService, index: WorkloadIndex): readonly Workload[] {
  if (service.inline.length > 0) return service.inline.map((spec) => inlineWorkload(service, spec));
  return service.selector === null ? [] : index.selected(service.namespace, service.selector);
}

function inlineWorkload(service: MeshService, spec: InlineEndpoint): Workload {
  const labels = spec.labels ?? {};
  return {
    spec,
    labels,
    namespace: service.namespace,
    name: spec.address ?? '',
    isHealthy: true,
    hasSidecar: labels[tlsModeLabel] === 'istio',
    isProcess: false,
  };
}

function endpointOf(
  service: MeshService,
  port: MeshPort,
  workload: Workload,
  authentications: PeerAuthentications,
  settings: MeshSettings,
): Endpoint | null {
  const { spec } = workload;
  if (spec.address === undefined || spec.address === '') return null;
  // A static cluster cannot resolve names; validation reports it.
  if (service.resolution === 'static' && isIP(spec.address) === 0) return null;
  const number = workloadPort(service, port, spec.ports);
  const names = workload.isProcess ? [number, port.targetPort, port.number] : [number];
  const mode = authentications.modeOf(workload, names);
  return {
    address: spec.address,
    port: number,
    labels: workload.labels,
    weight: spec.weight === undefined || spec.weight === 0 ? 1 : spec.weight,
    isHealthy: workload.isHealthy,
    identity: workload.hasSidecar ? spiffeId(settings, workload.namespace, spec.serviceAccount ?? 'default') : null,
    mutualTls: workload.hasSidecar && mode !== 'DISABLE',
    locality: spec.locality ?? '',
    workload: workload.name,
  };
}

/** The workload's own port of that name; where both have one port only, that one; else the service's target port. */
function workloadPort(
  service: MeshService,
  port: MeshPort,
  ports: Readonly<Record<string, number>> | undefined,
): number {
  const named = ownPort(ports, port.name) ?? ownPort(ports, String(port.targetPort));
  if (named !== undefined) return named;
  const [only, ...more] = Object.values(ports ?? {});
  if (only !== undefined && more.length === 0 && service.ports.length === 1) return only;
  return typeof port.targetPort === 'number' ? port.targetPort : port.number;
}

/** A port may have any name, also that of a member which every object inherits. */
function ownPort(ports: Readonly<Record<string, number>> | undefined, name: string): number | undefined {
  return ports !== undefined && Object.hasOwn(ports, name) ? ports[name] : undefined;
}

/** The new table, with the old lists where nothing changed; `isSame` when no cluster changes either. */
export function keepEndpoints(
  built: EndpointTable,
  previous: EndpointTable,
): { readonly endpoints: EndpointTable; readonly isSame: boolean } {
  const endpoints = new Map<string, readonly Endpoint[]>();
  let isSame = true;
  for (const [key, list] of built) {
    const before = previous.get(key) ?? [];
    const hasChanged = !isDeepStrictEqual(list, before);
    endpoints.set(key, hasChanged ? list : before);
    if (hasChanged && traitsOf(list) !== traitsOf(before)) isSame = false;
  }
  return { endpoints, isSame };
}

/** What clusters are made from: the kinds of endpoints there are, not how many. */
function traitsOf(endpoints: readonly Endpoint[]): string {
  const traits = endpoints.map(
    ({ identity, mutualTls, labels }) => `${identity} ${mutualTls} ${JSON.stringify(labels)}`,
  );
  return [...new Set(traits)].sort().join('\n');
}
