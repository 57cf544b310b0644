// How an AuthorizationPolicy fits with workloads, namespaces and the protocols of the ports it guards.

import type { AuthorizationRule } from '@weft/api/resource/authorization-policy';
import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { meaningCodes, referenceCodes } from '../issue-code.ts';
import { type MeshIndex, namespaceOf, type Workload } from '../mesh-index.ts';
import { didYouMean } from '../near-name.ts';
import { selectorText } from '../selector.ts';

type StoredPolicy = StoredResource<'AuthorizationPolicy'>;

/** A selector that nothing fits, namespaces without workloads, and HTTP conditions on TCP ports. */
export function checkAuthorizationPolicy(resource: StoredPolicy, index: MeshIndex, findings: Findings): void {
  const { spec } = resource.object;
  const namespace = namespaceOf(resource);
  const scope = index.context.rootNamespaces.includes(namespace) ? null : namespace;
  const labels = spec?.selector?.matchLabels ?? {};
  const selected = index.selected(labels, scope);
  if (selected.length === 0 && Object.keys(labels).length > 0) {
    const where = scope === null ? 'the mesh' : `namespace ${namespace}`;
    findings.add(
      referenceCodes.selectorMatchesNothing,
      'spec.selector',
      `No workload of ${where} has the labels ${selectorText(labels)}.`,
    );
  }
  for (const [at, rule] of (spec?.rules ?? []).entries()) {
    checkNamespaces(findings, `spec.rules[${at}]`, rule, index);
    checkProtocol(findings, `spec.rules[${at}]`, rule, spec?.action ?? 'ALLOW', { selected, index });
  }
}

function checkNamespaces(findings: Findings, path: string, rule: AuthorizationRule, index: MeshIndex): void {
  if (index.namespaces.size === 0) return;
  for (const [at, from] of (rule.from ?? []).entries()) {
    for (const [position, name] of (from.source?.namespaces ?? []).entries()) {
      if (name.includes('*') || index.namespaces.has(name)) continue;
      const hint = didYouMean(name, [...index.namespaces]);
      findings.add(
        referenceCodes.unknownNamespace,
        `${path}.from[${at}].source.namespaces[${position}]`,
        `Nothing runs in namespace ${name}.${hint}`,
      );
    }
  }
}

interface Guarded {
  readonly selected: readonly Workload[];
  readonly index: MeshIndex;
}

function checkProtocol(
  findings: Findings,
  path: string,
  rule: AuthorizationRule,
  action: string,
  guarded: Guarded,
): void {
  const field = httpField(rule);
  if (field === null) return;
  const ports = tcpPortsOf(guarded);
  if (ports === null || ports.length === 0) return;
  const effect = action === 'DENY' ? 'there the rule denies without looking at it' : 'there the rule never matches';
  const message = `The selected workloads serve TCP on ${ports.join(', ')}, which has no ${field}; ${effect}.`;
  findings.add(meaningCodes.httpRuleOnTcp, path, message);
}

/** The first condition of a rule that only HTTP can meet. */
function httpField(rule: AuthorizationRule): string | null {
  for (const { operation } of rule.to ?? []) {
    for (const field of ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const) {
      if (operation?.[field] !== undefined) return field.replace(/^not/, '').toLowerCase();
    }
  }
  return (rule.when ?? []).some((condition) => condition.key.startsWith('request.headers[')) ? 'headers' : null;
}

/** TCP ports of services before the selected workloads; null when they serve HTTP as well, so that the rule has its use. */
function tcpPortsOf(guarded: Guarded): readonly number[] | null {
  const tcp: number[] = [];
  for (const service of guarded.index.world.list('Service')) {
    const { selector, ports = [] } = service.object.spec;
    if (selector === undefined) continue;
    const behind = guarded.index.selected(selector, namespaceOf(service));
    if (!behind.some((workload) => guarded.selected.includes(workload))) continue;
    for (const port of ports) {
      const protocol = (port.appProtocol ?? port.name?.split('-')[0] ?? '').toLowerCase();
      if (!tcpProtocols.includes(protocol)) return null;
      tcp.push(port.port);
    }
  }
  return tcp;
}

const tcpProtocols = ['tcp', 'tls', 'mongo', 'redis', 'mysql'];
