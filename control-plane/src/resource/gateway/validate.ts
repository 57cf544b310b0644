// Semantic checks of one Gateway.

import { isIP } from 'node:net';
import { getCiphers } from 'node:tls';
import type { Gateway, GatewayServer, GatewayTls } from '@weft/api/resource/gateway';
import type { Findings } from '../findings.ts';
import { isDnsName, isHostPattern } from '../host.ts';
import { formCodes, meaningCodes } from '../issue-code.ts';
import { didYouMean } from '../near-name.ts';

const plainProtocols = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'TCP', 'MONGO'];
const tlsProtocols = ['HTTPS', 'TLS'];
const protocols = [...plainProtocols, ...tlsProtocols];

/** Everything that can be said about a Gateway seen alone. */
export function validateGateway(resource: Gateway, findings: Findings): void {
  const { servers = [], selector } = resource.spec;
  if (servers.length === 0)
    findings.add(meaningCodes.emptyRule, 'spec.servers', 'There are no servers, so the gateway offers nothing.');
  if (Object.keys(selector ?? {}).length === 0) {
    findings.add(
      meaningCodes.invalidSelector,
      'spec.selector',
      'No proxy is selected; the local ingress gateway has the label istio: ingressgateway.',
    );
  }
  const names = new Set<string>();
  for (const [index, server] of servers.entries()) {
    const path = `spec.servers[${index}]`;
    validateServer(findings, path, server);
    if (server.name === undefined) continue;
    if (names.has(server.name))
      findings.add(meaningCodes.duplicateName, `${path}.name`, `The server name ${server.name} is used twice.`);
    names.add(server.name);
  }
  validatePortUse(findings, servers);
}

function validateServer(findings: Findings, path: string, server: GatewayServer): void {
  const protocol = server.port.protocol.toUpperCase();
  if (!protocols.includes(protocol)) {
    const hint = didYouMean(protocol, protocols);
    findings.add(
      meaningCodes.unknownProtocol,
      `${path}.port.protocol`,
      `There is no protocol ${server.port.protocol}; known are ${protocols.join(', ')}.${hint}`,
    );
  }
  if (tlsProtocols.includes(protocol) && server.tls === undefined) {
    findings.add(meaningCodes.protocolConflict, path, `A server with protocol ${protocol} needs tls.`);
  }
  if (plainProtocols.includes(protocol) && protocol !== 'TCP' && server.tls !== undefined && setsMore(server.tls)) {
    findings.add(
      meaningCodes.protocolConflict,
      `${path}.tls`,
      `A server with protocol ${protocol} takes only httpsRedirect in tls; use protocol HTTPS.`,
    );
  }
  for (const [index, host] of server.hosts.entries()) validateHost(findings, `${path}.hosts[${index}]`, host);
  if (server.bind !== undefined && isIP(server.bind) === 0 && !server.bind.startsWith('unix://')) {
    findings.add(meaningCodes.invalidAddress, `${path}.bind`, `"${server.bind}" is no IP address.`);
  }
  if (server.tls !== undefined) validateTls(findings, `${path}.tls`, server.tls, protocol);
}

function setsMore(tls: GatewayTls): boolean {
  const { httpsRedirect: _, ...others } = tls;
  return Object.values(others).some((value) => value !== undefined);
}

function validateHost(findings: Findings, path: string, entry: string): void {
  const slash = entry.indexOf('/');
  const host = entry.slice(slash + 1);
  const scope = slash < 0 ? '*' : entry.slice(0, slash);
  if (!isHostPattern(host))
    findings.add(meaningCodes.invalidHost, path, `"${host}" is no host; write a DNS name, *.suffix or *.`);
  if (scope === '*' || scope === '.' || isDnsName(scope)) return;
  findings.add(
    meaningCodes.invalidName,
    path,
    `"${scope}" is no namespace; before the slash stands a namespace, . or *.`,
  );
}

function validateTls(findings: Findings, path: string, tls: GatewayTls, protocol: string): void {
  const sources = (['credentialName', 'credentialNames', 'tlsCertificates'] as const).filter(
    (name) => tls[name] !== undefined,
  );
  if (sources.length > 1)
    findings.add(meaningCodes.conflictingFields, path, `Only one of ${sources.join(', ')} can be set.`);
  const mode = tls.mode ?? 'PASSTHROUGH';
  const isSecured = tlsProtocols.includes(protocol) || (protocol === 'TCP' && setsMore(tls));
  if (!isSecured) return;
  if (tls.mode === undefined && certificateFields.some((name) => tls[name] !== undefined)) {
    findings.add(
      meaningCodes.conflictingFields,
      path,
      'Without a mode TLS passes through and the certificate is not used; add mode: SIMPLE.',
    );
  }
  if (mode === 'PASSTHROUGH' && protocol === 'HTTPS' && tls.httpsRedirect === true) {
    findings.add(
      meaningCodes.conflictingFields,
      `${path}.httpsRedirect`,
      'A redirect needs plain HTTP; set it on the server of port 80.',
    );
  }
  validateTlsValues(findings, path, tls);
  if (mode === 'SIMPLE' || mode === 'MUTUAL' || mode === 'OPTIONAL_MUTUAL')
    validateCertificate(findings, path, tls, mode);
  if (
    tlsVersions.indexOf(tls.minProtocolVersion ?? 'TLS_AUTO') <= 0 ||
    tlsVersions.indexOf(tls.maxProtocolVersion ?? 'TLS_AUTO') <= 0
  )
    return;
  if (tlsVersions.indexOf(tls.minProtocolVersion ?? '') <= tlsVersions.indexOf(tls.maxProtocolVersion ?? '')) return;
  findings.add(
    meaningCodes.conflictingFields,
    path,
    'minProtocolVersion is newer than maxProtocolVersion, so no client can connect.',
  );
}

/** What the proxies would refuse, and with it every other change of their listeners. */
function validateTlsValues(findings: Findings, path: string, tls: GatewayTls): void {
  const known = new Set(getCiphers());
  for (const [index, suite] of (tls.cipherSuites ?? []).entries()) {
    if (known.has(suite.toLowerCase())) continue;
    const message = `"${suite}" is no cipher suite; write OpenSSL's names, such as ECDHE-RSA-AES128-GCM-SHA256.`;
    findings.add(formCodes.invalidValue, `${path}.cipherSuites[${index}]`, message);
  }
  for (const [index, hash] of (tls.verifyCertificateHash ?? []).entries()) {
    if (/^[0-9a-f]{64}$/i.test(hash.replaceAll(':', ''))) continue;
    findings.add(formCodes.invalidValue, `${path}.verifyCertificateHash[${index}]`, `"${hash}" is no SHA-256 in hex.`);
  }
  for (const [index, hash] of (tls.verifyCertificateSpki ?? []).entries()) {
    if (/^[A-Za-z0-9+/]{43}=$/.test(hash)) continue;
    const message = `"${hash}" is no SHA-256 in base64.`;
    findings.add(formCodes.invalidValue, `${path}.verifyCertificateSpki[${index}]`, message);
  }
}

const certificateFields = [
  'credentialName',
  'credentialNames',
  'tlsCertificates',
  'serverCertificate',
  'privateKey',
] as const;

const tlsVersions = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'];

function validateCertificate(findings: Findings, path: string, tls: GatewayTls, mode: string): void {
  const missing = [...missingKeyPair(tls), ...(mode === 'SIMPLE' ? [] : missingAuthority(tls))];
  if (missing.length === 0) return;
  findings.add(
    meaningCodes.missingCredential,
    path,
    `Mode ${mode} needs a credentialName, or the files ${missing.join(', ')}.`,
  );
}

function missingKeyPair(tls: GatewayTls): readonly string[] {
  if (tls.credentialName !== undefined || tls.credentialNames !== undefined) return [];
  const pairs = (tls.tlsCertificates ?? [tls]).map((pair, at) => ({
    pair,
    prefix: tls.tlsCertificates === undefined ? '' : `tlsCertificates[${at}].`,
  }));
  return pairs.flatMap(({ pair, prefix }) =>
    (['serverCertificate', 'privateKey'] as const)
      .filter((name) => pair[name] === undefined)
      .map((name) => `${prefix}${name}`),
  );
}

/** A Secret may have the authority of its clients beside its key pair; which of several is meant nobody can tell. */
function missingAuthority(tls: GatewayTls): readonly string[] {
  const named = tls.credentialName ?? tls.caCertCredentialName ?? tls.caCertificates;
  if (named !== undefined) return [];
  return [tls.credentialNames === undefined ? 'caCertificates' : 'caCertificates (or a caCertCredentialName)'];
}

/** Servers of one port speak one protocol, and no host twice. */
function validatePortUse(findings: Findings, servers: readonly GatewayServer[]): void {
  const uses = new Map<string, PortUse>();
  for (const [index, server] of servers.entries()) {
    const key = `${server.bind ?? ''} ${server.port.number}`;
    const use = uses.get(key) ?? { index, protocol: server.port.protocol, hosts: new Map<string, number>() };
    uses.set(key, use);
    const path = `spec.servers[${index}]`;
    if (familyOf(use.protocol) !== familyOf(server.port.protocol)) {
      const message = `Port ${server.port.number} is ${use.protocol} in spec.servers[${use.index}] already; one port has one protocol.`;
      findings.add(meaningCodes.protocolConflict, `${path}.port.protocol`, message);
    }
    const shared = server.hosts.filter((host) => use.hosts.has(host));
    const [first] = shared;
    if (first !== undefined) {
      const message = `${shared.join(', ')} of port ${server.port.number} belongs to spec.servers[${use.hosts.get(first)}] already.`;
      findings.add(meaningCodes.duplicateName, `${path}.hosts`, message);
    }
    for (const host of server.hosts) if (!use.hosts.has(host)) use.hosts.set(host, index);
  }
}

/** Who had a port first, and which server each of its hosts belongs to. */
interface PortUse {
  readonly index: number;
  readonly protocol: string;
  readonly hosts: Map<string, number>;
}

/** Protocols that can share a port: all of plain HTTP, all of TLS, or TCP alone. */
export function familyOf(protocol: string): 'http' | 'tls' | 'tcp' {
  const name = protocol.toUpperCase();
  if (tlsProtocols.includes(name)) return 'tls';
  return name === 'TCP' || name === 'MONGO' ? 'tcp' : 'http';
}
