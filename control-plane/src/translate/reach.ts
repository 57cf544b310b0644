// What one proxy can call: the services it sees, the rules it follows for them, and what a destination comes down to.

import type { Destination } from '@weft/api/resource/http-route';
import type { EffectiveRule } from '../model/destination-rule.ts';
import { type Endpoint, endpointKey } from '../model/endpoint.ts';
import { labelsFit, resolveHost } from '../model/host.ts';
import { type MeshModel, visibleServices } from '../model/mesh.ts';
import type { WorkloadIdentityView } from '../model/peer-authentication.ts';
import type { MeshPort, MeshService } from '../model/service.ts';
import { outboundCluster } from './cluster-name.ts';

/** A destination that exists. */
export interface Target {
  readonly cluster: string;
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly subset: string;
}

/** A destination that does not exist, and why. */
export interface MissingTarget {
  readonly missing: string;
}

/** Callers' labels are their own word: whoever comes again with others each time must not fill the memory with what was made for them. */
const reachesMax = 64;

/** The reach of every kind of caller, per mesh, the one asked for last at the end: proxies of one namespace mostly have the same. */
const reaches: WeakMap<MeshModel, Map<string, Reach>> = new WeakMap();

/** Proxies of one key have the same reach. */
export function reachKey(mesh: MeshModel, { namespace, labels }: WorkloadIdentityView): string {
  // By the labels that somebody asks for: others, such as a pod's own name, would make every replica a kind of its own.
  if (mesh.callerLabels.length === 0) return namespace;
  return `${namespace} ${JSON.stringify(mesh.callerLabels.map((label) => (Object.hasOwn(labels, label) ? labels[label] : null)))}`;
}

/** The reach of a proxy, shared with all proxies for which it is the same. */
export function reachOf(mesh: MeshModel, caller: WorkloadIdentityView): Reach {
  const ofMesh = reaches.get(mesh) ?? new Map<string, Reach>();
  reaches.set(mesh, ofMesh);
  const key = reachKey(mesh, caller);
  const reach = ofMesh.get(key) ?? new Reach(mesh, { namespace: caller.namespace, labels: caller.labels });
  ofMesh.delete(key);
  ofMesh.set(key, reach);
  if (ofMesh.size > reachesMax) forgetOldest(ofMesh);
  return reach;
}

function forgetOldest(ofMesh: Map<string, Reach>): void {
  for (const key of ofMesh.keys()) {
    ofMesh.delete(key);
    return;
  }
}

export class Reach {
  readonly mesh: MeshModel;
  /** A proxy with this reach; labels of others may differ where nothing asks for them. */
  readonly caller: WorkloadIdentityView;
  /** By host, sorted by host. */
  readonly services: ReadonlyMap<string, MeshService>;
  private readonly rules: Map<string, EffectiveRule | null> = new Map();
  private readonly made: Map<string, unknown> = new Map();

  constructor(mesh: MeshModel, caller: WorkloadIdentityView) {
    this.mesh = mesh;
    this.caller = caller;
    this.services = new Map(visibleServices(mesh, caller.namespace).map((service) => [service.host, service]));
  }

  /** What depends on the reach alone is made once. The key names what `make` makes. */
  once<T>(key: string, make: () => T): T {
    // The same key always comes with the same maker.
    if (this.made.has(key)) return this.made.get(key) as T;
    const value = make();
    this.made.set(key, value);
    return value;
  }

  /** The DestinationRule for calls to a service. */
  ruleOf(service: MeshService): EffectiveRule | null {
    const known = this.rules.get(service.id);
    if (known !== undefined) return known;
    const rule = this.mesh.destinationRules.find(service.host, service.namespace, this.caller);
    this.rules.set(service.id, rule);
    return rule;
  }

  /** Endpoints of a service port, of one subset when it is named. */
  endpointsOf(service: MeshService, port: MeshPort, subset: string): readonly Endpoint[] {
    const all = this.mesh.endpoints.get(endpointKey(service, port)) ?? [];
    if (subset === '') return all;
    const labels = this.ruleOf(service)?.subsets.find((item) => item.subset.name === subset)?.subset.labels;
    return all.filter((endpoint) => labelsFit(labels, endpoint.labels));
  }

  /** What a destination names. `owner` is the namespace of the VirtualService, `listenPort` the port the request came to. */
  target(destination: Destination, owner: string, listenPort: number): Target | MissingTarget {
    const host = resolveHost(destination.host, owner, this.mesh.settings.clusterDomain);
    const service = this.findService(host);
    if (service === undefined) return { missing: `no service has the host ${host}` };
    const [only, ...more] = service.ports;
    const single = more.length === 0 ? only?.number : undefined;
    const number = destination.port?.number ?? single ?? listenPort;
    const port = service.ports.find((candidate) => candidate.number === number);
    if (port === undefined) return { missing: `${host} has no port ${number}` };
    const subset = destination.subset ?? '';
    if (subset !== '' && !this.ruleOf(service)?.subsets.some((item) => item.subset.name === subset)) {
      return { missing: `no DestinationRule defines the subset ${subset} of ${host}` };
    }
    return { cluster: outboundCluster(port.number, subset, service.host), service, port, subset };
  }

  /** By exact host, else `reviews.default` and `reviews.default.svc` as Kubernetes resolves them. */
  private findService(host: string): MeshService | undefined {
    const { clusterDomain } = this.mesh.settings;
    return (
      this.services.get(host) ??
      this.services.get(`${host}.svc.${clusterDomain}`) ??
      this.services.get(`${host}.${clusterDomain}`)
    );
  }
}
