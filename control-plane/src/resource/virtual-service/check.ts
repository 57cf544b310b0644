// How a VirtualService fits with gateways, services, subsets and other VirtualServices.

import type { Destination } from '@weft/api/resource/http-route';
import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { familyOf } from '../gateway/validate.ts';
import { hostsOverlap, resolveHost } from '../host.ts';
import { referenceCodes } from '../issue-code.ts';
import { isSameResource, isVisible, type MeshIndex, meantHost, namespaceOf } from '../mesh-index.ts';
import { didYouMean } from '../near-name.ts';

type StoredVirtualService = StoredResource<'VirtualService'>;

/** Missing gateways, hosts, ports and subsets, and hosts that another one claims too. */
export function checkVirtualService(resource: StoredVirtualService, index: MeshIndex, findings: Findings): void {
  checkGateways(resource, index, findings);
  checkHosts(resource, index, findings);
  for (const [path, destination] of destinationsOf(resource))
    checkDestination(findings, path, destination, namespaceOf(resource), index);
}

/** Every destination with its path. */
function* destinationsOf(resource: StoredVirtualService): Generator<readonly [string, Destination]> {
  const { http = [], tls = [], tcp = [] } = resource.object.spec;
  for (const [kind, routes] of [
    ['http', http],
    ['tls', tls],
    ['tcp', tcp],
  ] as const) {
    for (const [index, route] of routes.entries()) {
      for (const [at, each] of (route.route ?? []).entries())
        yield [`spec.${kind}[${index}].route[${at}].destination`, each.destination];
    }
  }
}

function checkGateways(resource: StoredVirtualService, index: MeshIndex, findings: Findings): void {
  const { spec } = resource.object;
  for (const [at, name] of (spec.gateways ?? []).entries()) {
    if (name === 'mesh') continue;
    const gateway = findGateway(name, namespaceOf(resource), index);
    if (gateway === null) {
      const known = index.world.list('Gateway').map((each) => `${namespaceOf(each)}/${each.object.metadata.name}`);
      const hint = didYouMean(qualified(name, namespaceOf(resource)), known);
      findings.add(
        referenceCodes.missingGateway,
        `spec.gateways[${at}]`,
        `There is no Gateway ${qualified(name, namespaceOf(resource))}; declare it, or name another.${hint}`,
      );
      continue;
    }
    checkGatewayHosts(resource, gateway, name, findings);
  }
}

function qualified(name: string, namespace: string): string {
  return name.includes('/') ? name : `${namespace}/${name}`;
}

function findGateway(name: string, namespace: string, index: MeshIndex): StoredResource<'Gateway'> | null {
  const [inNamespace = '', bare = ''] = qualified(name, namespace).split('/');
  return index.world.get('Gateway', inNamespace, bare);
}

function checkGatewayHosts(
  resource: StoredVirtualService,
  gateway: StoredResource<'Gateway'>,
  name: string,
  findings: Findings,
): void {
  const { spec } = resource.object;
  const servers = gateway.object.spec.servers ?? [];
  const served = servers
    .flatMap((server) => server.hosts)
    .map((host) => serverHost(host, namespaceOf(gateway), namespaceOf(resource)));
  for (const [at, host] of (spec.hosts ?? []).entries()) {
    const full = resolveHost(host, namespaceOf(resource));
    if (served.some((each) => each !== null && (hostsOverlap(each, full) || hostsOverlap(each, host)))) continue;
    findings.add(
      referenceCodes.hostNotInGateway,
      `spec.hosts[${at}]`,
      `No server of Gateway ${name} has the host ${host} for this namespace; add it there, or drop it here.`,
    );
  }
  if ((spec.tls ?? []).length === 0) return;
  const passes = servers.some(({ port, tls }) => {
    // The tls of a plain HTTP server is there for its redirect alone.
    const mode = tls === undefined || familyOf(port.protocol) === 'http' ? null : (tls.mode ?? 'PASSTHROUGH');
    return mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH';
  });
  if (!passes)
    findings.add(
      referenceCodes.unusedTlsRoute,
      'spec.tls',
      `Gateway ${name} has no server with tls mode PASSTHROUGH, so these routes are never used there.`,
    );
}

/** The host of a gateway's server as VirtualServices of `namespace` see it; null when it is not for them. */
function serverHost(host: string, gatewayNamespace: string, namespace: string): string | null {
  const slash = host.indexOf('/');
  if (slash < 0) return host;
  const scope = host.slice(0, slash);
  const isFor = scope === '*' || scope === namespace || (scope === '.' && gatewayNamespace === namespace);
  return isFor ? host.slice(slash + 1) : null;
}

function checkHosts(resource: StoredVirtualService, index: MeshIndex, findings: Findings): void {
  const namespace = namespaceOf(resource);
  const gateways = resource.object.spec.gateways ?? ['mesh'];
  for (const [at, raw] of (resource.object.spec.hosts ?? []).entries()) {
    const host = resolveHost(raw, namespace);
    const path = `spec.hosts[${at}]`;
    if (!gateways.includes('mesh')) continue;
    const entry = index.findHost(host, namespace);
    if (entry === null && !host.startsWith('*')) {
      const meant = meantHost(index, host);
      const hint = meant === null ? didYouMean(host, index.hostNames()) : ` Write ${meant}.`;
      findings.add(
        referenceCodes.unknownHost,
        path,
        `No Service or ServiceEntry has the host ${host}, so sidecars never use these routes.${hint}`,
      );
    }
    if (entry !== null && entry.namespace !== namespace) {
      findings.add(
        referenceCodes.foreignHost,
        path,
        `${host} belongs to namespace ${entry.namespace}; clients there follow its own VirtualService where it has one.`,
      );
    }
    checkConflict(resource, host, path, index, findings);
  }
}

function checkConflict(
  resource: StoredVirtualService,
  host: string,
  path: string,
  index: MeshIndex,
  findings: Findings,
): void {
  for (const other of index.claimantsOf(host)) {
    if (isSameResource(other, resource)) return;
    const { exportTo = [] } = other.object.spec;
    const isPrivate =
      exportTo.length > 0 && exportTo.every((each) => each === '.') && namespaceOf(other) !== namespaceOf(resource);
    if (isPrivate) continue;
    const name = `${namespaceOf(other)}/${other.object.metadata.name}`;
    findings.add(
      referenceCodes.hostConflict,
      path,
      `VirtualService ${name} claims ${host} already and is older, so sidecars follow it and not this one; join the two.`,
    );
    return;
  }
}

function checkDestination(
  findings: Findings,
  path: string,
  destination: Destination,
  namespace: string,
  index: MeshIndex,
): void {
  const host = resolveHost(destination.host, namespace);
  const entry = index.findHost(host, namespace);
  if (entry === null) {
    const meant = meantHost(index, host);
    const hint = meant === null ? didYouMean(host, index.hostNames()) : ` Write ${meant}.`;
    findings.add(
      referenceCodes.unknownHost,
      `${path}.host`,
      `No Service or ServiceEntry has the host ${host}; requests sent there are answered with 503.${hint}`,
    );
    return;
  }
  if (!isVisible(entry, namespace)) {
    findings.add(
      referenceCodes.hiddenHost,
      `${path}.host`,
      `${host} of namespace ${entry.namespace} is not exported to ${namespace}.`,
    );
  }
  checkPort(
    findings,
    path,
    destination,
    entry.ports.map((port) => port.number),
    host,
  );
  if (destination.subset !== undefined) checkSubset(findings, path, destination.subset, host, index);
}

function checkPort(
  findings: Findings,
  path: string,
  destination: Destination,
  ports: readonly number[],
  host: string,
): void {
  const number = destination.port?.number;
  if (number === undefined) {
    if (ports.length < 2) return;
    findings.add(
      referenceCodes.portRequired,
      path,
      `${host} has the ports ${ports.join(', ')}; say which one with port.number, else the port of the request is used.`,
    );
    return;
  }
  if (ports.includes(number) || ports.length === 0) return;
  findings.add(
    referenceCodes.unknownServicePort,
    `${path}.port.number`,
    `${host} has no port ${number}; it has ${ports.join(', ')}.`,
  );
}

function checkSubset(findings: Findings, path: string, name: string, host: string, index: MeshIndex): void {
  const subsets = index.rulesFor(host).flatMap((rule) => rule.object.spec.subsets ?? []);
  if (subsets.some((subset) => subset.name === name)) return;
  const names = subsets.map((subset) => subset.name);
  const known =
    names.length === 0 ? 'No DestinationRule of the host declares subsets.' : `Declared are ${names.join(', ')}.`;
  findings.add(
    referenceCodes.unknownSubset,
    `${path}.subset`,
    `${host} has no subset ${name}; requests sent there are answered with 503. ${known}`,
  );
}
