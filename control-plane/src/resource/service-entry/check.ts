// How a ServiceEntry fits with services of the same host and with workloads.

import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { referenceCodes } from '../issue-code.ts';
import { isSameResource, type MeshIndex, namespaceOf } from '../mesh-index.ts';
import { selectorText } from '../selector.ts';

/** Hosts that another resource has too, and a selector that nothing fits. */
export function checkServiceEntry(
  resource: StoredResource<'ServiceEntry'>,
  index: MeshIndex,
  findings: Findings,
): void {
  for (const [at, host] of resource.object.spec.hosts.entries()) {
    const other = index.entriesOf(host.toLowerCase()).find((entry) => !isSameResource(entry.resource, resource));
    if (other === undefined) continue;
    const { origin } = other.resource;
    const message = `${origin.kind} ${origin.namespace}/${origin.name} has the host ${host} too; give each host to one resource.`;
    findings.add(referenceCodes.duplicateServiceHost, `spec.hosts[${at}]`, message);
  }
  const labels = resource.object.spec.workloadSelector?.labels;
  if (labels === undefined || index.selected(labels, namespaceOf(resource)).length > 0) return;
  const message = `No workload of namespace ${namespaceOf(resource)} has the labels ${selectorText(labels)}.`;
  findings.add(referenceCodes.selectorMatchesNothing, 'spec.workloadSelector', message);
}
