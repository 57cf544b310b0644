// How a PeerAuthentication fits with workloads and with others of its scope.

import type { StoredResource } from '../../store/world.ts';
import { joinPath } from '../field-path.ts';
import type { Findings } from '../findings.ts';
import { referenceCodes } from '../issue-code.ts';
import { isSameResource, type MeshIndex, namespaceOf } from '../mesh-index.ts';
import { selectorText } from '../selector.ts';

type StoredPolicy = StoredResource<'PeerAuthentication'>;

/** Selectors and ports that nothing has, and rivals of the same scope. */
export function checkPeerAuthentication(resource: StoredPolicy, index: MeshIndex, findings: Findings): void {
  checkRivals(resource, index, findings);
  const labels = resource.object.spec?.selector?.matchLabels ?? {};
  if (Object.keys(labels).length === 0) return;
  const selected = index.selected(labels, namespaceOf(resource));
  if (selected.length === 0) {
    const message = `No workload of namespace ${namespaceOf(resource)} has the labels ${selectorText(labels)}.`;
    findings.add(referenceCodes.selectorMatchesNothing, 'spec.selector', message);
    return;
  }
  // A connected proxy of a process says nothing of it, so one process among the selected speaks for all.
  const byService = selected.some(({ isProcess }) => isProcess);
  const ports = new Set(
    selected.flatMap((workload) => [...workload.ports, ...servicePortsOf(workload, byService, index)]),
  );
  if (ports.size === 0) return;
  for (const port of Object.keys(resource.object.spec?.portLevelMtls ?? {})) {
    if (ports.has(Number(port))) continue;
    const message = `No selected workload listens on ${port}; known are ${[...ports].join(', ')}. Ports are those of the workload, not of the service.`;
    findings.add(referenceCodes.unknownWorkloadPort, joinPath('spec.portLevelMtls', port), message);
  }
}

/** Ports that services expect a workload to have, and with `byService` the services' own numbers. */
function servicePortsOf(workload: MeshIndex['workloads'][number], byService: boolean, index: MeshIndex): number[] {
  return index.world.list('Service').flatMap((service) => {
    const { selector, ports = [] } = service.object.spec;
    if (selector === undefined || namespaceOf(service) !== workload.namespace) return [];
    if (!index.selected(selector, workload.namespace).includes(workload)) return [];
    return ports.flatMap(({ port, targetPort = port }) => [
      ...(byService ? [port] : []),
      ...(typeof targetPort === 'number' ? [targetPort] : []),
    ]);
  });
}

function checkRivals(resource: StoredPolicy, index: MeshIndex, findings: Findings): void {
  const scope = scopeOf(resource);
  for (const other of index.byAge('PeerAuthentication')) {
    if (isSameResource(other, resource)) return;
    if (scopeOf(other) !== scope) continue;
    const message = `PeerAuthentication ${namespaceOf(other)}/${other.object.metadata.name} has the same scope and is older, so it counts and this one does not.`;
    findings.add(referenceCodes.policyConflict, '', message);
    return;
  }
}

function scopeOf(resource: StoredPolicy): string {
  const labels = Object.entries(resource.object.spec?.selector?.matchLabels ?? {}).sort();
  return `${namespaceOf(resource)} ${JSON.stringify(labels)}`;
}
