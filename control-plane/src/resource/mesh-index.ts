// What cross-checks look up: hosts, workloads, gateways and rules of one world, indexed once.

import type { KindName } from '@weft/api/resource/kind';
import type { StoredResource, World } from '../store/world.ts';
import { coversHost, isDnsName, resolveHost, serviceHost } from './host.ts';
import { selects } from './selector.ts';

type Labels = Readonly<Record<string, string>>;

/** One host that clients can call. */
export interface HostEntry {
  readonly host: string;
  readonly namespace: string;
  readonly resource: StoredResource<'Service'> | StoredResource<'ServiceEntry'>;
  readonly ports: readonly { readonly number: number; readonly name: string; readonly protocol: string }[];
  readonly exportTo: readonly string[];
  /** Labels of the workloads behind it; null when it has none of its own. */
  readonly selector: Labels | null;
  /** Labels of endpoints that are written out in the entry itself. */
  readonly inlineLabels: readonly Labels[];
}

/** Something that serves: a registered workload, a declared process, or a connected proxy. */
export interface Workload {
  readonly namespace: string;
  readonly labels: Labels;
  /** Ports it is known to listen on; empty when unknown. */
  readonly ports: readonly number[];
  /** Whether it is a process of the local mesh, whose ports policies may call by the numbers of its services. */
  readonly isProcess: boolean;
}

/** What the world itself does not say. */
export interface CheckContext {
  /** Policies in these namespaces are for the whole mesh. */
  readonly rootNamespaces: readonly string[];
  /** What workloads demand of their callers where no PeerAuthentication says otherwise. */
  readonly mutualTls: 'STRICT' | 'PERMISSIVE' | 'DISABLE';
  /** Proxies that are known besides registered workloads, gateways above all. */
  readonly proxies: readonly { readonly namespace: string; readonly labels: Labels }[];
  /** Wall time, for certificates. */
  readonly nowMs: number;
}

/** The lookups that cross-checks share. */
export class MeshIndex {
  readonly world: World;
  readonly context: CheckContext;
  readonly workloads: readonly Workload[];
  readonly namespaces: ReadonlySet<string>;
  private readonly hosts: Map<string, HostEntry[]> = new Map();
  private readonly wildcards: HostEntry[] = [];
  private readonly rules: Map<string, StoredResource<'DestinationRule'>[]> = new Map();
  private readonly workloadsIn: Map<string, Workload[]> = new Map();
  private readonly aged: Map<KindName, readonly StoredResource[]> = new Map();
  private readonly claims: Map<string, StoredResource<'VirtualService'>[]> = new Map();

  constructor(world: World, context: CheckContext) {
    this.world = world;
    this.context = context;
    this.workloads = collectWorkloads(world, context);
    this.namespaces = collectNamespaces(world, this.workloads);
    for (const entry of collectHosts(world)) this.addHost(entry);
    for (const workload of this.workloads) append(this.workloadsIn, workload.namespace, workload);
    for (const each of this.byAge('VirtualService')) {
      const { hosts = [], gateways = ['mesh'] } = each.object.spec;
      if (!gateways.includes('mesh')) continue;
      for (const host of hosts) append(this.claims, resolveHost(host, namespaceOf(each)), each);
    }
    for (const rule of this.byAge('DestinationRule')) {
      const host = resolveHost(rule.object.spec.host, namespaceOf(rule));
      append(this.rules, host, rule);
    }
  }

  private addHost(entry: HostEntry): void {
    if (entry.host.startsWith('*')) this.wildcards.push(entry);
    append(this.hosts, entry.host, entry);
  }

  /** All entries that have exactly this host. */
  entriesOf(host: string): readonly HostEntry[] {
    return this.hosts.get(host) ?? [];
  }

  /** The entry that serves a host, exactly or by wildcard; one that `namespace` may see when there is a choice. */
  findHost(host: string, namespace: string): HostEntry | null {
    const exact = this.entriesOf(host);
    const candidates = exact.length > 0 ? exact : this.wildcards.filter((entry) => coversHost(entry.host, host));
    return candidates.find((entry) => isVisible(entry, namespace)) ?? candidates[0] ?? null;
  }

  /** Every host, for suggestions. */
  hostNames(): readonly string[] {
    return [...this.hosts.keys()];
  }

  /** DestinationRules whose host is or covers `host`, oldest first. */
  rulesFor(host: string): readonly StoredResource<'DestinationRule'>[] {
    const exact = this.rules.get(host) ?? [];
    const wild = [...this.rules].filter(
      ([pattern]) => pattern.startsWith('*') && pattern !== host && coversHost(pattern, host),
    );
    return [...exact, ...wild.flatMap(([, rules]) => rules)];
  }

  /** Workloads with these labels; in every namespace when `namespace` is null. */
  selected(selector: Labels, namespace: string | null): readonly Workload[] {
    const among = namespace === null ? this.workloads : (this.workloadsIn.get(namespace) ?? []);
    return among.filter((each) => selects(selector, each.labels));
  }

  /** All of a kind, oldest first, then by namespace and name: the order in which conflicts are decided. */
  byAge<K extends KindName>(kind: K): readonly StoredResource<K>[] {
    const known = this.aged.get(kind) as readonly StoredResource<K>[] | undefined;
    if (known !== undefined) return known;
    const made = sortByAge(this.world.list(kind));
    this.aged.set(kind, made as unknown as readonly StoredResource[]);
    return made;
  }

  /** VirtualServices for sidecars that have exactly this host, oldest first. */
  claimantsOf(host: string): readonly StoredResource<'VirtualService'>[] {
    return this.claims.get(host) ?? [];
  }
}

/** The namespace of a stored resource. */
export function namespaceOf<K extends KindName>(resource: StoredResource<K>): string {
  return resource.origin.namespace;
}

function append<V>(map: Map<string, V[]>, key: string, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** The list comes by namespace and name, and the sort keeps that order among equals. */
function sortByAge<K extends KindName>(resources: readonly StoredResource<K>[]): readonly StoredResource<K>[] {
  const age = (resource: StoredResource<K>) => resource.object.metadata.creationTimestamp ?? '';
  return [...resources].sort((a, b) => (age(a) < age(b) ? -1 : age(a) > age(b) ? 1 : 0));
}

/** Whether it is the same resource, perhaps in another state: a watcher may be told of one that has changed since. */
export function isSameResource(a: StoredResource<KindName>, b: StoredResource<KindName>): boolean {
  return (
    a.origin.kind === b.origin.kind && a.origin.name === b.origin.name && a.origin.namespace === b.origin.namespace
  );
}

/** Whether a host is exported to a namespace. */
export function isVisible(entry: HostEntry, namespace: string): boolean {
  if (entry.exportTo.length === 0 || entry.namespace === namespace)
    return !entry.exportTo.includes('~') || entry.exportTo.length > 1;
  return entry.exportTo.includes('*') || entry.exportTo.includes(namespace);
}

function collectHosts(world: World): readonly HostEntry[] {
  const services = world.list('Service').map(hostOfService);
  const entries = world.list('ServiceEntry').flatMap(hostsOfEntry);
  return [...services, ...entries];
}

function hostOfService(resource: StoredResource<'Service'>): HostEntry {
  const { metadata, spec } = resource.object;
  const namespace = namespaceOf(resource);
  const exportTo = metadata.annotations?.['networking.istio.io/exportTo'];
  return {
    host: serviceHost(metadata.name, namespace),
    namespace,
    resource,
    ports: (spec.ports ?? []).map((port) => ({
      number: port.port,
      name: port.name ?? '',
      protocol: port.appProtocol ?? port.name?.split('-')[0] ?? '',
    })),
    exportTo: exportTo === undefined ? [] : exportTo.split(',').map((each) => each.trim()),
    selector: spec.selector !== undefined && Object.keys(spec.selector).length > 0 ? spec.selector : null,
    inlineLabels: [],
  };
}

function hostsOfEntry(resource: StoredResource<'ServiceEntry'>): readonly HostEntry[] {
  const { spec } = resource.object;
  return spec.hosts.map((host) => ({
    host: host.toLowerCase(),
    namespace: namespaceOf(resource),
    resource,
    ports: (spec.ports ?? []).map((port) => ({ number: port.number, name: port.name, protocol: port.protocol ?? '' })),
    exportTo: spec.exportTo ?? [],
    selector: spec.workloadSelector?.labels ?? null,
    inlineLabels: (spec.endpoints ?? []).map((endpoint) => endpoint.labels ?? {}),
  }));
}

function collectWorkloads(world: World, context: CheckContext): readonly Workload[] {
  const entries = world.list('WorkloadEntry').map((resource) => ({
    namespace: namespaceOf(resource),
    labels: { ...resource.object.metadata.labels, ...resource.object.spec.labels },
    ports: Object.values(resource.object.spec.ports ?? {}),
    isProcess: resource.object.metadata.annotations?.['weft.dev/process'] !== undefined,
  }));
  const processes = world.list('Process').map((resource) => ({
    namespace: namespaceOf(resource),
    labels: resource.object.metadata.labels ?? {},
    ports: (resource.object.spec.ports ?? []).map((port) => port.port),
    isProcess: true,
  }));
  const proxies = context.proxies.map(({ namespace, labels }) => ({ namespace, labels, ports: [], isProcess: false }));
  return [...entries, ...processes, ...proxies];
}

function collectNamespaces(world: World, workloads: readonly Workload[]): ReadonlySet<string> {
  const names = new Set(workloads.map((workload) => workload.namespace));
  for (const resource of world.list('Namespace')) names.add(resource.object.metadata.name);
  for (const resource of world.list('Service')) names.add(namespaceOf(resource));
  return names;
}

/** Whether a name with dots looks like `service.namespace` of an existing Service; gives the host that was meant. */
export function meantHost(index: MeshIndex, host: string): string | null {
  const [name, namespace, ...rest] = host.split('.');
  if (name === undefined || namespace === undefined || !isDnsName(host)) return null;
  if (rest.length > 1 || (rest.length === 1 && rest[0] !== 'svc')) return null;
  const full = serviceHost(name, namespace);
  return index.entriesOf(full).length > 0 ? full : null;
}
