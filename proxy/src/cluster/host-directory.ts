// The hosts of a cluster by key: tells which endpoints of a new assignment are known hosts, makes the others, removes the rest.

import type { Level, LevelLocality } from './balancer/priority-load.ts';
import type { Cluster } from './cluster.ts';
import type { AssignmentSpec, EndpointSpec } from './endpoint-spec.ts';
import type { Host } from './host.ts';

export interface DirectoryUpdate {
  readonly hosts: readonly Host[];
  /** Priorities that hosts came to or left: as Envoy counts changes. */
  readonly changes: number;
}

export class HostDirectory {
  private readonly cluster: Cluster;
  private byKey: ReadonlyMap<string, Host> = new Map();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  get(key: string): Host | null {
    return this.byKey.get(key) ?? null;
  }

  /** An address that is listed twice counts once, where it is listed first. */
  update(assignment: AssignmentSpec): DirectoryUpdate {
    const next = new Map<string, Host>();
    const changed = new Set<number>();
    for (const locality of assignment.localities) {
      for (const spec of locality.endpoints) {
        if (next.has(spec.key)) continue;
        const priorityBefore = this.byKey.get(spec.key)?.priority;
        const known = this.keep(spec);
        if (known === null || priorityBefore !== spec.priority) changed.add(spec.priority);
        if (priorityBefore !== undefined && priorityBefore !== spec.priority) changed.add(priorityBefore);
        next.set(spec.key, known ?? this.cluster.makeHost(spec));
      }
    }
    const before = this.byKey;
    this.byKey = next;
    for (const [key, host] of before) {
      if (next.get(key) === host) continue;
      changed.add(host.priority);
      host.remove();
    }
    return { hosts: [...next.values()], changes: changed.size };
  }

  // Other encryption needs other connections, so that is another host.
  private keep(spec: EndpointSpec): Host | null {
    const host = this.byKey.get(spec.key);
    if (host === undefined || host.transport !== this.cluster.transportFor(spec)) return null;
    host.update(spec);
    return host;
  }
}

/** The hosts by priority and locality, each once. */
export function groupByPriority(assignment: AssignmentSpec, directory: HostDirectory): Level[] {
  const seen = new Set<Host>();
  const groups: LevelLocality[][] = [];
  for (const locality of assignment.localities) {
    const hosts: Host[] = [];
    for (const spec of locality.endpoints) {
      const host = directory.get(spec.key);
      if (host === null || seen.has(host)) continue;
      seen.add(host);
      hosts.push(host);
    }
    while (groups.length <= locality.priority) groups.push([]);
    groups[locality.priority]?.push({ weight: locality.weight, hosts });
  }
  return groups.map((localities) => ({ localities, hosts: localities.flatMap((locality) => [...locality.hosts]) }));
}
