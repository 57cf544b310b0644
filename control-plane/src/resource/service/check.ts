// Whether a Service has workloads behind it.

import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { referenceCodes } from '../issue-code.ts';
import { type MeshIndex, namespaceOf } from '../mesh-index.ts';
import { selectorText } from '../selector.ts';

/** Tells of a Service whose selector nothing fits. */
export function checkService(resource: StoredResource<'Service'>, index: MeshIndex, findings: Findings): void {
  const { selector, type } = resource.object.spec;
  if (selector === undefined || type === 'ExternalName') return;
  if (index.selected(selector, namespaceOf(resource)).length > 0) return;
  const message = `No workload of namespace ${namespaceOf(resource)} has the labels ${selectorText(selector)} yet; requests are answered with 503.`;
  findings.add(referenceCodes.serviceWithoutEndpoints, 'spec.selector', message);
}
