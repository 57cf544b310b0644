// How a DestinationRule fits with services, workloads, secrets and other rules.

import type { ClientTls } from '@weft/api/resource/traffic-policy';
import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { resolveHost } from '../host.ts';
import { referenceCodes } from '../issue-code.ts';
import { type HostEntry, isSameResource, type MeshIndex, meantHost, namespaceOf } from '../mesh-index.ts';
import { didYouMean } from '../near-name.ts';
import { demandsMutualTls } from '../peer-authentication/demand.ts';
import { checkCredential } from '../secret/credential.ts';
import { selectorText, selects } from '../selector.ts';

type StoredRule = StoredResource<'DestinationRule'>;

/** Unknown hosts and ports, empty subsets, rivals, missing secrets, and TLS that the host refuses. */
export function checkDestinationRule(resource: StoredRule, index: MeshIndex, findings: Findings): void {
  const namespace = namespaceOf(resource);
  const host = resolveHost(resource.object.spec.host, namespace);
  const entry = index.findHost(host, namespace);
  checkHost(resource, host, entry, index, findings);
  checkRivals(resource, host, index, findings);
  if (entry !== null && !host.startsWith('*')) {
    checkSubsets(resource, entry, index, findings);
    checkPorts(resource, entry, findings);
    checkTls(resource, entry, index, findings);
  }
  checkSecrets(resource, index, findings);
  const selector = resource.object.spec.workloadSelector?.matchLabels;
  if (selector === undefined || index.selected(selector, namespace).length > 0) return;
  const message = `No workload of namespace ${namespace} has the labels ${selectorText(selector)}, so no caller follows this rule.`;
  findings.add(referenceCodes.selectorMatchesNothing, 'spec.workloadSelector', message);
}

function checkHost(
  resource: StoredRule,
  host: string,
  entry: HostEntry | null,
  index: MeshIndex,
  findings: Findings,
): void {
  if (entry === null) {
    if (host.startsWith('*')) return;
    const meant = meantHost(index, host);
    const hint = meant === null ? didYouMean(host, index.hostNames()) : ` Write ${meant}.`;
    findings.add(
      referenceCodes.unknownHost,
      'spec.host',
      `No Service or ServiceEntry has the host ${host}, so this rule does nothing.${hint}`,
    );
    return;
  }
  const namespace = namespaceOf(resource);
  const isOwn = entry.namespace === namespace || index.context.rootNamespaces.includes(namespace);
  if (isOwn || host.startsWith('*')) return;
  findings.add(
    referenceCodes.foreignHost,
    'spec.host',
    `${host} belongs to namespace ${entry.namespace}; only callers in ${namespace} follow this rule.`,
  );
}

function checkRivals(resource: StoredRule, host: string, index: MeshIndex, findings: Findings): void {
  if (resource.object.spec.workloadSelector !== undefined) return;
  for (const other of index.rulesFor(host)) {
    if (isSameResource(other, resource)) return;
    const sameHost = resolveHost(other.object.spec.host, namespaceOf(other)) === host;
    if (!sameHost || namespaceOf(other) !== namespaceOf(resource) || other.object.spec.workloadSelector !== undefined)
      continue;
    const name = `${namespaceOf(other)}/${other.object.metadata.name}`;
    const message = `DestinationRule ${name} is for ${host} too and is older, so its traffic policy counts; join the two.`;
    findings.add(referenceCodes.duplicateDestinationRule, 'spec.host', message);
    return;
  }
}

function checkSubsets(resource: StoredRule, entry: HostEntry, index: MeshIndex, findings: Findings): void {
  const behind = entry.selector === null ? [] : index.selected(entry.selector, entry.namespace);
  const labels = [...behind.map((workload) => workload.labels), ...entry.inlineLabels];
  // Without any workload the service itself is reported, once.
  if (labels.length === 0) return;
  for (const [at, subset] of (resource.object.spec.subsets ?? []).entries()) {
    const wanted = subset.labels ?? {};
    if (labels.some((each) => selects(wanted, each))) continue;
    const message = `No workload of ${entry.host} has the labels ${selectorText(wanted)}; requests to subset ${subset.name} are answered with 503.`;
    findings.add(referenceCodes.subsetWithoutEndpoints, `spec.subsets[${at}]`, message);
  }
}

function checkPorts(resource: StoredRule, entry: HostEntry, findings: Findings): void {
  for (const [path, policy] of policiesOf(resource)) {
    for (const [at, { port }] of (policy?.portLevelSettings ?? []).entries()) {
      if (port?.number === undefined || entry.ports.some((each) => each.number === port.number)) continue;
      const known = entry.ports.map((each) => each.number).join(', ');
      const message = `${entry.host} has no port ${port.number}; it has ${known || 'none'}.`;
      findings.add(referenceCodes.unknownServicePort, `${path}.portLevelSettings[${at}].port.number`, message);
    }
  }
}

function checkTls(resource: StoredRule, entry: HostEntry, index: MeshIndex, findings: Findings): void {
  if (entry.selector === null) return;
  for (const [path, tls] of tlsOf(resource)) {
    if (tls.mode === 'ISTIO_MUTUAL') continue;
    const demand = demandsMutualTls(entry, index);
    if (demand === null) continue;
    const message = `TLS mode ${tls.mode ?? 'DISABLE'} meets workloads of ${entry.host} that take mutual TLS of the mesh only (${demand}); use ISTIO_MUTUAL or remove tls.`;
    findings.add(referenceCodes.mtlsConflict, path, message);
  }
}

function checkSecrets(resource: StoredRule, index: MeshIndex, findings: Findings): void {
  for (const [path, tls] of tlsOf(resource)) {
    if (tls.credentialName === undefined) continue;
    const use = tls.mode === 'MUTUAL' ? 'key-pair' : 'authorities';
    checkCredential(findings, `${path}.credentialName`, tls.credentialName, {
      namespace: namespaceOf(resource),
      use,
      index,
    });
  }
}

function policiesOf(resource: StoredRule) {
  const { trafficPolicy, subsets = [] } = resource.object.spec;
  const ofSubsets = subsets.map((subset, at) => [`spec.subsets[${at}].trafficPolicy`, subset.trafficPolicy] as const);
  return [['spec.trafficPolicy', trafficPolicy] as const, ...ofSubsets];
}

function tlsOf(resource: StoredRule): readonly (readonly [string, ClientTls])[] {
  return policiesOf(resource).flatMap(([path, policy]) => {
    const ports = (policy?.portLevelSettings ?? []).map(
      (port, at) => [`${path}.portLevelSettings[${at}].tls`, port.tls] as const,
    );
    return [[`${path}.tls`, policy?.tls] as const, ...ports].flatMap(([at, tls]) =>
      tls === undefined ? [] : [[at, tls] as const],
    );
  });
}
