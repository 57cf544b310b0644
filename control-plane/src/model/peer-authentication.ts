// Whether a workload demands mutual TLS of its callers, port by port: the narrowest PeerAuthentication decides.

import type { MutualTlsMode, PeerAuthentication } from '@weft/api/resource/peer-authentication';
import type { World } from '../store/world.ts';
import { labelsFit } from './host.ts';
import type { MeshSettings, SettledMutualTls } from './settings.ts';
import { byAge, type Sourced, sourced } from './sourced.ts';

/** Whom a policy is asked about. */
export interface WorkloadIdentityView {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

type Spec = NonNullable<PeerAuthentication['spec']>;

export class PeerAuthentications {
  private readonly selected: readonly Sourced<Spec>[];
  private readonly byNamespace: ReadonlyMap<string, Sourced<Spec>>;
  private readonly meshMode: SettledMutualTls;

  constructor(items: readonly Sourced<Spec>[], settings: MeshSettings) {
    const sorted = [...items].sort(byAge);
    const byNamespace = new Map<string, Sourced<Spec>>();
    this.selected = sorted.filter((item) => hasSelector(item.spec));
    for (const item of sorted) {
      if (!hasSelector(item.spec) && !byNamespace.has(item.namespace)) byNamespace.set(item.namespace, item);
    }
    this.byNamespace = byNamespace;
    this.meshMode = meshMode(byNamespace, settings);
  }

  /** The mode of a workload's port. `ports` are the names of one port: as the workload, as the service calls it. */
  modeOf(workload: WorkloadIdentityView, ports: readonly (number | string)[]): SettledMutualTls {
    const item = this.selecting(workload);
    const byPort = new Map(Object.entries(item?.spec.portLevelMtls ?? {}));
    for (const port of ports) {
      const mode = byPort.get(String(port))?.mode;
      if (isSet(mode)) return mode;
    }
    if (isSet(item?.spec.mtls?.mode)) return item.spec.mtls.mode;
    const ofNamespace = this.byNamespace.get(workload.namespace)?.spec.mtls?.mode;
    return isSet(ofNamespace) ? ofNamespace : this.meshMode;
  }

  /** Ports of a workload that have a mode of their own. */
  portsOf(workload: WorkloadIdentityView): number[] {
    return Object.keys(this.selecting(workload)?.spec.portLevelMtls ?? {}).map(Number);
  }

  private selecting(workload: WorkloadIdentityView): Sourced<Spec> | undefined {
    return this.selected.find(
      ({ namespace, spec }) =>
        namespace === workload.namespace && labelsFit(spec.selector?.matchLabels, workload.labels),
    );
  }
}

function hasSelector(spec: Spec): boolean {
  return Object.keys(spec.selector?.matchLabels ?? {}).length > 0;
}

function isSet(mode: MutualTlsMode | undefined): mode is SettledMutualTls {
  return mode !== undefined && mode !== 'UNSET';
}

function meshMode(byNamespace: ReadonlyMap<string, Sourced<Spec>>, settings: MeshSettings): SettledMutualTls {
  for (const root of settings.rootNamespaces) {
    const mode = byNamespace.get(root)?.spec.mtls?.mode;
    if (isSet(mode)) return mode;
  }
  return settings.mutualTls;
}

export function buildPeerAuthentications(world: World, settings: MeshSettings): PeerAuthentications {
  const items = world.list('PeerAuthentication').map((resource) => sourced(resource, resource.object.spec ?? {}));
  return new PeerAuthentications(items, settings);
}
