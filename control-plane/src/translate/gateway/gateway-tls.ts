// TLS of a gateway's server: its certificate by secret or file, and whose certificates it wants to see.

import type { GatewayTls } from '@weft/api/resource/gateway';
import type { envoy } from '@weft/api/xds/types';
import type { Reach } from '../reach.ts';
import { gatewaySecretName, namedSecrets, rootsSuffix } from '../secrets.ts';
import { downstreamSocket, meshDownstreamSocket, sdsSecret } from '../tls-context.ts';
import type { OfferedServer } from './offered-server.ts';

type CommonTlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
type CertificateValidationContext = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
type TlsParameters = envoy.extensions.transport_sockets.tls.v3.TlsParameters;

/**
 * Null when a Secret that it needs is not there: proxies serve on with one that is taken from them, as long as a listener names it, so
 * the server goes with its Secret.
 */
export function serverSocket(
  offered: OfferedServer,
  alpnProtocols: readonly string[],
  reach: Reach,
): envoy.config.core.v3.TransportSocket | null {
  const tls = offered.server.tls ?? {};
  if (tls.mode === 'ISTIO_MUTUAL') return meshDownstreamSocket(alpnProtocols, reach.mesh.settings.trustDomain);
  const wantsCertificate = tls.mode === 'MUTUAL' || tls.mode === 'OPTIONAL_MUTUAL';
  const needed = [...credentialsOf(tls), ...(wantsCertificate ? rootsCredential(tls) : [])];
  const names = needed.map((credential) => gatewaySecretName(credential, offered.gateway.namespace, reach));
  if (namedSecrets(names, reach).length < names.length) return null;
  const tlsParams = parameters(tls);
  const commonTlsContext: CommonTlsContext = {
    ...certificates(tls, offered, reach),
    ...(wantsCertificate ? validation(tls, offered, reach) : {}),
    ...(alpnProtocols.length > 0 ? { alpnProtocols } : {}),
    ...(Object.keys(tlsParams).length > 0 ? { tlsParams } : {}),
  };
  return downstreamSocket({ commonTlsContext, requireClientCertificate: tls.mode === 'MUTUAL' });
}

function credentialsOf(tls: GatewayTls): readonly string[] {
  return tls.credentialNames ?? (tls.credentialName === undefined ? [] : [tls.credentialName]);
}

/** The credential that has the roots, if one has; the end of its name says that it is not for its key pair. */
function rootsCredential(tls: GatewayTls): string[] {
  const name = tls.caCertCredentialName ?? tls.credentialName;
  if (name === undefined) return [];
  return [tls.caCertCredentialName?.endsWith(rootsSuffix) === true ? name : `${name}${rootsSuffix}`];
}

function certificates(tls: GatewayTls, offered: OfferedServer, reach: Reach): CommonTlsContext {
  const names = credentialsOf(tls);
  if (names.length > 0) {
    const secrets = names.map((name) => sdsSecret(gatewaySecretName(name, offered.gateway.namespace, reach)));
    return { tlsCertificateSdsSecretConfigs: secrets };
  }
  const files = tls.tlsCertificates ?? [{ serverCertificate: tls.serverCertificate, privateKey: tls.privateKey }];
  const tlsCertificates = files.map(({ serverCertificate, privateKey }) => ({
    certificateChain: { filename: serverCertificate ?? '' },
    privateKey: { filename: privateKey ?? '' },
  }));
  return { tlsCertificates };
}

function validation(tls: GatewayTls, offered: OfferedServer, reach: Reach): CommonTlsContext {
  const names = tls.subjectAltNames ?? [];
  const matches = names.map((exact) => ({
    sanType: exact.includes('://') ? ('URI' as const) : ('DNS' as const),
    matcher: { exact },
  }));
  const sans: CertificateValidationContext = {
    ...(matches.length > 0 ? { matchTypedSubjectAltNames: matches } : {}),
    ...(tls.verifyCertificateHash === undefined ? {} : { verifyCertificateHash: tls.verifyCertificateHash }),
    ...(tls.verifyCertificateSpki === undefined ? {} : { verifyCertificateSpki: tls.verifyCertificateSpki }),
  };
  const [credential] = rootsCredential(tls);
  if (credential === undefined) {
    return { validationContext: { trustedCa: { filename: tls.caCertificates ?? '' }, ...sans } };
  }
  const secret = sdsSecret(gatewaySecretName(credential, offered.gateway.namespace, reach));
  return { combinedValidationContext: { defaultValidationContext: sans, validationContextSdsSecretConfig: secret } };
}

const versions: Readonly<Record<string, TlsParameters['tlsMinimumProtocolVersion']>> = {
  TLSV1_0: 'TLSv1_0',
  TLSV1_1: 'TLSv1_1',
  TLSV1_2: 'TLSv1_2',
  TLSV1_3: 'TLSv1_3',
};

function parameters(tls: GatewayTls): TlsParameters {
  const minimum = versions[tls.minProtocolVersion ?? ''];
  const maximum = versions[tls.maxProtocolVersion ?? ''];
  return {
    ...(minimum === undefined ? {} : { tlsMinimumProtocolVersion: minimum }),
    ...(maximum === undefined ? {} : { tlsMaximumProtocolVersion: maximum }),
    ...(tls.cipherSuites === undefined || tls.cipherSuites.length === 0 ? {} : { cipherSuites: tls.cipherSuites }),
  };
}
