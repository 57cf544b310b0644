// What holds for the whole mesh and is said by whoever starts the control plane, not by a resource.

import type { MutualTlsMode } from '@weft/api/resource/peer-authentication';

/** A mode that is settled: nothing is inherited any more. */
export type SettledMutualTls = Exclude<MutualTlsMode, 'UNSET'>;

/** What a sidecar does with a name that no service has. */
export type OutboundPolicy = 'ALLOW_ANY' | 'REGISTRY_ONLY';

export interface MeshSettings {
  /** `spiffe://<trustDomain>/ns/…`. */
  readonly trustDomain: string;
  /** Suffix of the names of Kubernetes services, after `.svc.`. */
  readonly clusterDomain: string;
  /** Namespaces whose policies hold for the whole mesh. */
  readonly rootNamespaces: readonly string[];
  readonly outboundPolicy: OutboundPolicy;
  /** What a workload demands of its callers where no PeerAuthentication says otherwise. */
  readonly mutualTls: SettledMutualTls;
}

export const defaultSettings: MeshSettings = {
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  rootNamespaces: ['istio-system', 'weft-system'],
  outboundPolicy: 'ALLOW_ANY',
  mutualTls: 'STRICT',
};

/** The SPIFFE id of a service account. */
export function spiffeId(settings: MeshSettings, namespace: string, serviceAccount: string): string {
  return `spiffe://${settings.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
