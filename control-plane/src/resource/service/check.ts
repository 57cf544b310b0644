// Whether a Service has workloads behind it.

import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { meaningCodes, referenceCodes } from '../issue-code.ts';
import { type MeshIndex, namespaceOf } from '../mesh-index.ts';
import { selectorText } from '../selector.ts';

/** Tells of a Service whose selector nothing fits, and of ports that declare no protocol. */
export function checkService(resource: StoredResource<'Service'>, index: MeshIndex, findings: Findings): void {
  const { selector, type, ports = [] } = resource.object.spec;
  for (const [at, port] of ports.entries()) {
    if (port.appProtocol !== undefined || port.protocol === 'UDP' || isDeclared(port.name ?? '')) continue;
    const message = `Nothing says what port ${port.port} speaks, so it is detected; name it http-… or tcp-…, or set appProtocol.`;
    findings.add(meaningCodes.portNaming, `spec.ports[${at}]`, message);
  }
  if (selector === undefined || type === 'ExternalName') return;
  if (index.selected(selector, namespaceOf(resource)).length > 0) return;
  const message = `No workload of namespace ${namespaceOf(resource)} has the labels ${selectorText(selector)} yet; requests are answered with 503.`;
  findings.add(referenceCodes.serviceWithoutEndpoints, 'spec.selector', message);
}

const prefixes = ['http', 'http2', 'https', 'grpc', 'tls', 'tcp', 'udp', 'mongo', 'redis', 'mysql'];

function isDeclared(name: string): boolean {
  return prefixes.includes(name.split('-')[0] ?? '');
}
