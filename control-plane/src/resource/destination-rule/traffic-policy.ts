// Semantic checks of a traffic policy, wherever it stands: rule, subset or port.

import { parseDurationMs } from '@weft/api/resource/duration';
import type { ConsistentHash, LoadBalancer } from '@weft/api/resource/load-balancer';
import type { ClientTls, PortTrafficPolicy, TrafficPolicy } from '@weft/api/resource/traffic-policy';
import type { Findings } from '../findings.ts';
import { validateHeaderName } from '../header-rule.ts';
import { formCodes, meaningCodes } from '../issue-code.ts';

/** Fields that exclude each other, durations of zero, TLS that lacks or ignores its certificate. */
export function validateTrafficPolicy(findings: Findings, path: string, policy: TrafficPolicy): void {
  validateCommon(findings, path, policy);
  const seen = new Set<number>();
  for (const [index, port] of (policy.portLevelSettings ?? []).entries()) {
    const at = `${path}.portLevelSettings[${index}]`;
    validateCommon(findings, at, port);
    const number = port.port?.number;
    if (number === undefined) {
      findings.add(meaningCodes.emptyRule, `${at}.port`, 'The settings name no port; add port.number.');
      continue;
    }
    if (seen.has(number))
      findings.add(meaningCodes.duplicateName, `${at}.port.number`, `Port ${number} has settings twice; join them.`);
    seen.add(number);
  }
}

function validateCommon(findings: Findings, path: string, policy: TrafficPolicy | PortTrafficPolicy): void {
  if (policy.loadBalancer !== undefined) validateLoadBalancer(findings, `${path}.loadBalancer`, policy.loadBalancer);
  if (policy.tls !== undefined) validateTls(findings, `${path}.tls`, policy.tls);
  const { tcp, http } = policy.connectionPool ?? {};
  const durations: readonly (readonly [string, string | undefined])[] = [
    ['connectionPool.tcp.connectTimeout', tcp?.connectTimeout],
    ['connectionPool.tcp.maxConnectionDuration', tcp?.maxConnectionDuration],
    ['connectionPool.http.http2KeepAlive.interval', http?.http2KeepAlive?.interval],
    ['connectionPool.http.http2KeepAlive.timeout', http?.http2KeepAlive?.timeout],
    ['outlierDetection.interval', policy.outlierDetection?.interval],
    ['outlierDetection.baseEjectionTime', policy.outlierDetection?.baseEjectionTime],
  ];
  for (const [field, text] of durations) {
    if (text === undefined || parseDurationMs(text) !== 0) continue;
    findings.add(
      meaningCodes.zeroDuration,
      `${path}.${field}`,
      'This needs at least 1ms; leave it out for the default.',
    );
  }
  if (http?.useClientProtocol === true && http.h2UpgradePolicy === 'UPGRADE') {
    const message =
      'UPGRADE and useClientProtocol exclude each other: one fixes the protocol, the other takes the client’s.';
    findings.add(meaningCodes.conflictingFields, `${path}.connectionPool.http`, message);
  }
}

function validateLoadBalancer(findings: Findings, path: string, balancer: LoadBalancer): void {
  if (balancer.simple !== undefined && balancer.consistentHash !== undefined) {
    findings.add(meaningCodes.conflictingFields, path, 'Only one of simple and consistentHash can be set.');
  }
  if (balancer.consistentHash !== undefined) validateHash(findings, `${path}.consistentHash`, balancer.consistentHash);
}

function validateHash(findings: Findings, path: string, hash: ConsistentHash): void {
  const keys = (['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const).filter((key) => {
    return hash[key] !== undefined && hash[key] !== false;
  });
  if (keys.length === 0) {
    findings.add(
      meaningCodes.emptyRule,
      path,
      'There is nothing to hash; set httpHeaderName, httpCookie, useSourceIp or httpQueryParameterName.',
    );
  }
  if (keys.length > 1)
    findings.add(meaningCodes.conflictingFields, path, `Only one key can be hashed; here are ${keys.join(' and ')}.`);
  const ring = hash.ringHash?.minimumRingSize ?? hash.minimumRingSize ?? 0;
  if (ring > maxRingSize) {
    const field = hash.ringHash?.minimumRingSize === undefined ? 'minimumRingSize' : 'ringHash.minimumRingSize';
    const message = `${ring} places are more than a ring can have, which is ${maxRingSize}.`;
    findings.add(formCodes.invalidValue, `${path}.${field}`, message);
  }
  if (hash.httpHeaderName !== undefined)
    validateHeaderName(findings, `${path}.httpHeaderName`, hash.httpHeaderName, true);
  const size = hash.maglev?.tableSize ?? 0;
  if (size !== 0 && (size > maxTableSize || !isPrime(size))) {
    const message = `${size} is no table size; a prime up to ${maxTableSize} is wanted, such as 65537.`;
    findings.add(formCodes.invalidValue, `${path}.maglev.tableSize`, message);
  }
  if (hash.ringHash !== undefined && hash.maglev !== undefined) {
    findings.add(meaningCodes.conflictingFields, path, 'Only one of ringHash and maglev can be set.');
  }
}

const maxRingSize = 8_388_608;
const maxTableSize = 5_000_011;

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let i = 2; i * i <= value; i++) if (value % i === 0) return false;
  return true;
}

function validateTls(findings: Findings, path: string, tls: ClientTls): void {
  const mode = tls.mode ?? 'DISABLE';
  const files = (['clientCertificate', 'privateKey', 'caCertificates'] as const).filter(
    (key) => tls[key] !== undefined,
  );
  if (mode === 'MUTUAL' && tls.credentialName === undefined) {
    for (const field of ['clientCertificate', 'privateKey'] as const) {
      if (tls[field] !== undefined) continue;
      findings.add(
        meaningCodes.missingCredential,
        path,
        `Mode MUTUAL needs ${field}, or a credentialName instead of files.`,
      );
    }
  }
  if (tls.credentialName !== undefined && files.length > 0) {
    findings.add(
      meaningCodes.conflictingFields,
      path,
      `Only one of credentialName and the files ${files.join(', ')} can be set.`,
    );
  }
  if ((mode === 'ISTIO_MUTUAL' || mode === 'DISABLE') && (files.length > 0 || tls.credentialName !== undefined)) {
    const message = `Mode ${mode} uses no certificate of yours; remove ${[...files, ...(tls.credentialName === undefined ? [] : ['credentialName'])].join(', ')}.`;
    findings.add(meaningCodes.conflictingFields, path, message);
  }
  if (mode === 'SIMPLE' && (tls.clientCertificate !== undefined || tls.privateKey !== undefined)) {
    findings.add(
      meaningCodes.conflictingFields,
      path,
      'Mode SIMPLE shows no client certificate; use MUTUAL, or remove clientCertificate and privateKey.',
    );
  }
  const isVerified = tls.caCertificates !== undefined || tls.credentialName !== undefined;
  if ((mode === 'SIMPLE' || mode === 'MUTUAL') && tls.insecureSkipVerify === true) {
    findings.add(
      meaningCodes.noServerVerification,
      `${path}.insecureSkipVerify`,
      'Any certificate is taken for the server’s; remove this outside of tests.',
    );
  }
  if (mode === 'SIMPLE' && isVerified && (tls.subjectAltNames ?? []).length === 0 && tls.sni === undefined) {
    // Istio then checks the chain only; Weft as well, unless a name is known.
    findings.add(
      meaningCodes.noServerVerification,
      path,
      'The chain of the certificate is verified, but no name in it; set subjectAltNames.',
    );
  }
}
