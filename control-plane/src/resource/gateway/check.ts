// How a Gateway fits with secrets, other gateways and the proxies that serve it.

import type { GatewayServer } from '@weft/api/resource/gateway';
import type { StoredResource } from '../../store/world.ts';
import type { Findings } from '../findings.ts';
import { hostsOverlap } from '../host.ts';
import { referenceCodes } from '../issue-code.ts';
import { isSameResource, type MeshIndex, namespaceOf } from '../mesh-index.ts';
import { type CredentialQuery, type CredentialUse, checkCredential } from '../secret/credential.ts';
import { selectorText, selects } from '../selector.ts';
import { familyOf } from './validate.ts';

type StoredGateway = StoredResource<'Gateway'>;

/** Missing secrets, ports and hosts that an older gateway has, and a selector that no proxy fits. */
export function checkGateway(resource: StoredGateway, index: MeshIndex, findings: Findings): void {
  const { servers = [], selector = {} } = resource.object.spec;
  for (const [at, server] of servers.entries())
    checkSecrets(resource, server, `spec.servers[${at}].tls`, index, findings);
  checkSharedCertificates(servers, findings);
  checkRivals(resource, index, findings);
  const { proxies } = index.context;
  if (proxies.length === 0 || proxies.some((proxy) => selects(selector, proxy.labels))) return;
  const message = `No proxy that is connected has the labels ${selectorText(selector)}, so nobody serves this gateway.`;
  findings.add(referenceCodes.selectorMatchesNothing, 'spec.selector', message);
}

function checkSecrets(
  resource: StoredGateway,
  server: GatewayServer,
  path: string,
  index: MeshIndex,
  findings: Findings,
): void {
  const { tls } = server;
  if (tls === undefined) return;
  const check = (field: string, name: string, use: CredentialUse): void => {
    const place = credentialPlace(resource, name, index);
    checkCredential(findings, `${path}.${field}`, name, { ...place, use, index });
  };
  const isMutual = (tls.mode === 'MUTUAL' || tls.mode === 'OPTIONAL_MUTUAL') && tls.caCertCredentialName === undefined;
  const use = isMutual ? 'mutual' : 'key-pair';
  if (tls.credentialName !== undefined) check('credentialName', tls.credentialName, use);
  for (const [at, name] of (tls.credentialNames ?? []).entries()) check(`credentialNames[${at}]`, name, use);
  if (tls.caCertCredentialName !== undefined) check('caCertCredentialName', tls.caCertCredentialName, 'authorities');
}

/**
 * Proxies take a secret from their own namespace, those of a root namespace also from the Gateway's. Where no proxy is known, any
 * may be theirs.
 */
function credentialPlace(
  resource: StoredGateway,
  name: string,
  index: MeshIndex,
): Pick<CredentialQuery, 'namespace' | 'refused'> {
  const { proxies, rootNamespaces } = index.context;
  const { selector = {} } = resource.object.spec;
  const serving = new Set(proxies.filter((proxy) => selects(selector, proxy.labels)).map((proxy) => proxy.namespace));
  const held = index.world
    .list('Secret')
    .filter(({ object }) => object.metadata.name === name || object.metadata.name === `${name}-cacert`)
    .map(({ origin }) => origin.namespace);
  const own = namespaceOf(resource);
  const found = held.find((namespace) => serving.has(namespace));
  if (found !== undefined) return { namespace: found };
  if (proxies.length === 0) return { namespace: held.includes(own) ? own : (held[0] ?? own) };
  const [first] = serving;
  const mayLook = first === undefined || rootNamespaces.some((root) => serving.has(root));
  if (mayLook || !held.includes(own)) return { namespace: own };
  return { namespace: first, refused: own };
}

function checkSharedCertificates(servers: readonly GatewayServer[], findings: Findings): void {
  for (const [at, server] of servers.entries()) {
    const name = server.tls?.credentialName;
    const first = name === undefined ? -1 : servers.slice(0, at).findIndex((each) => each.tls?.credentialName === name);
    if (first < 0) continue;
    const message = `spec.servers[${first}] uses ${name} too; where one certificate is for both, join their hosts in one server.`;
    findings.add(referenceCodes.duplicateCertificate, `spec.servers[${at}].tls.credentialName`, message);
  }
}

function checkRivals(resource: StoredGateway, index: MeshIndex, findings: Findings): void {
  for (const other of index.byAge('Gateway')) {
    if (isSameResource(other, resource)) return;
    if (!sharesProxies(resource, other)) continue;
    const name = `Gateway ${namespaceOf(other)}/${other.object.metadata.name}`;
    for (const [at, server] of (resource.object.spec.servers ?? []).entries()) {
      const path = `spec.servers[${at}]`;
      const rivals = (other.object.spec.servers ?? []).filter(
        (each) => each.port.number === server.port.number && each.bind === server.bind,
      );
      if (rivals.some((each) => familyOf(each.port.protocol) !== familyOf(server.port.protocol))) {
        findings.add(
          referenceCodes.gatewayPortConflict,
          `${path}.port`,
          `${name} uses port ${server.port.number} with another protocol and is older.`,
        );
        continue;
      }
      const shared = server.hosts.filter((host) =>
        rivals.some((each) => each.hosts.some((hers) => isSameHost(hers, host))),
      );
      // Plain HTTP servers of several gateways are joined; only certificates cannot be.
      if (shared.length === 0 || familyOf(server.port.protocol) === 'http') continue;
      findings.add(
        referenceCodes.gatewayConflict,
        `${path}.hosts`,
        `${name} has ${shared.join(', ')} on port ${server.port.number} already and is older.`,
      );
    }
  }
}

function sharesProxies(a: StoredGateway, b: StoredGateway): boolean {
  const [left, right] = [a.object.spec.selector ?? {}, b.object.spec.selector ?? {}];
  return selects(left, right) || selects(right, left);
}

function isSameHost(a: string, b: string): boolean {
  const bare = (host: string) => host.slice(host.indexOf('/') + 1);
  return bare(a) === bare(b) || (bare(a) !== '*' && bare(b) !== '*' && hostsOverlap(bare(a), bare(b)));
}
