// Whether the workloads of a host demand mutual TLS, by a PeerAuthentication or by the default of the mesh.

import type { StoredResource } from '../../store/world.ts';
import { type HostEntry, type MeshIndex, namespaceOf, type Workload } from '../mesh-index.ts';
import { selects } from '../selector.ts';

/** What makes every workload of the host STRICT, in words, or null. */
export function demandsMutualTls(entry: HostEntry, index: MeshIndex): string | null {
  const workloads = entry.selector === null ? [] : index.selected(entry.selector, entry.namespace);
  const policies = workloads.map((workload) => policyFor(workload, index));
  const [first] = policies;
  if (first === undefined) return null;
  const isStrict = policies.every(
    (policy) => (policy?.object.spec?.mtls?.mode ?? index.context.mutualTls) === 'STRICT',
  );
  if (!isStrict) return null;
  return first === null
    ? 'the default of this mesh'
    : `PeerAuthentication ${namespaceOf(first)}/${first.object.metadata.name}`;
}

/** The narrowest policy for a workload: its own, its namespace's, the mesh's. */
function policyFor(workload: Workload, index: MeshIndex): StoredResource<'PeerAuthentication'> | null {
  const all = index
    .byAge('PeerAuthentication')
    .filter((policy) => (policy.object.spec?.mtls?.mode ?? 'UNSET') !== 'UNSET');
  const labelsOf = (policy: StoredResource<'PeerAuthentication'>) => policy.object.spec?.selector?.matchLabels ?? {};
  const isWide = (policy: StoredResource<'PeerAuthentication'>) => Object.keys(labelsOf(policy)).length === 0;
  const inNamespace = all.filter((policy) => namespaceOf(policy) === workload.namespace);
  return (
    inNamespace.find((policy) => !isWide(policy) && selects(labelsOf(policy), workload.labels)) ??
    inNamespace.find(isWide) ??
    all.find((policy) => isWide(policy) && index.context.rootNamespaces.includes(namespaceOf(policy))) ??
    null
  );
}
