// TLS towards a cluster: what a DestinationRule says, else the mesh's own where the endpoints speak it.

import type { ClientTls } from '@weft/api/resource/traffic-policy';
import type { envoy } from '@weft/api/xds/types';
import type { Endpoint } from '../../model/endpoint.ts';
import { clusterSni } from '../cluster-name.ts';
import type { Target } from '../reach.ts';
import { ownSecretName } from '../secrets.ts';
import type { Cluster } from '../snapshot.ts';
import { meshAlpn, meshUpstreamSocket, rawSocket, sdsSecret, upstreamSocket } from '../tls-context.ts';

type CommonTlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
type CertificateValidationContext = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;

/** Key in an endpoint's `envoy.transport_socket_match` metadata that says how it is called. */
export const tlsModeKey = 'tlsMode';

/** What is spoken inside the connection, for ALPN. */
export type SpokenProtocol = keyof typeof meshAlpn;

/** How a proxy is told to trust what its system trusts. */
export type SystemRoots = Pick<CertificateValidationContext, 'systemRootCerts' | 'trustedCa'>;

export const systemRoots: SystemRoots = { systemRootCerts: {} };
/** Envoy has the field and does not carry it out: this is where its images, Debian, Ubuntu and Alpine keep them. */
export const systemRootsByFile: SystemRoots = { trustedCa: { filename: '/etc/ssl/certs/ca-certificates.crt' } };

export interface ClusterTlsRequest {
  readonly target: Target;
  readonly tls: ClientTls | undefined;
  readonly spoken: SpokenProtocol;
  readonly endpoints: readonly Endpoint[];
  readonly systemRoots: SystemRoots;
}

/** `transport_socket`, or matches by endpoint where only some of them speak the mesh's TLS. */
export function clusterTls(request: ClusterTlsRequest): Cluster {
  const { tls } = request;
  if (tls === undefined) return automaticTls(request);
  // A `tls` block without a mode turns TLS off, as in Istio.
  if (tls.mode === undefined || tls.mode === 'DISABLE') return {};
  if (tls.mode === 'ISTIO_MUTUAL') return { transportSocket: meshSocket(request) };
  return { transportSocket: upstreamSocket(originatedTls(request, tls)) };
}

function automaticTls(request: ClusterTlsRequest): Cluster {
  const speaking = request.endpoints.filter(({ mutualTls }) => mutualTls);
  if (speaking.length === 0) return {};
  const transportSocket = meshSocket(request);
  if (speaking.length === request.endpoints.length) return { transportSocket };
  return {
    transportSocketMatches: [
      { name: 'tlsMode-istio', match: { [tlsModeKey]: 'istio' }, transportSocket },
      { name: 'tlsMode-disabled', match: {}, transportSocket: rawSocket },
    ],
  };
}

function meshSocket({ target, tls, spoken, endpoints }: ClusterTlsRequest): envoy.config.core.v3.TransportSocket {
  const { service, port, subset } = target;
  const sni = tls?.sni ?? clusterSni(port.number, subset, service.host);
  return meshUpstreamSocket(meshAlpn[spoken], peersOf(tls, service.subjectAltNames, endpoints), sni);
}

/** The names one of which the peer's certificate must have: as configured, else the identities of the endpoints. */
function peersOf(tls: ClientTls | undefined, ofService: readonly string[], endpoints: readonly Endpoint[]): string[] {
  if (tls?.subjectAltNames !== undefined && tls.subjectAltNames.length > 0) return [...tls.subjectAltNames];
  if (ofService.length > 0) return [...ofService];
  const identities = new Set(endpoints.map(({ identity }) => identity).filter((identity) => identity !== null));
  return [...identities].sort();
}

/** TLS of the upstream's own: SIMPLE or MUTUAL. */
function originatedTls(
  { target, spoken, systemRoots }: ClusterTlsRequest,
  tls: ClientTls,
): envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext {
  const { host, subjectAltNames } = target.service;
  const sni = tls.sni ?? (host.startsWith('*') ? undefined : host);
  const names =
    [tls.subjectAltNames ?? [], subjectAltNames].find((list) => list.length > 0) ?? (sni === undefined ? [] : [sni]);
  const commonTlsContext: CommonTlsContext = {
    ...ownCertificate(tls),
    ...(tls.insecureSkipVerify === true ? {} : validation(tls, names, systemRoots)),
    ...(spoken === 'http2' ? { alpnProtocols: ['h2'] } : spoken === 'http1' ? { alpnProtocols: ['http/1.1'] } : {}),
  };
  return { commonTlsContext, ...(sni === undefined ? {} : { sni }) };
}

function ownCertificate(tls: ClientTls): CommonTlsContext {
  if (tls.mode !== 'MUTUAL') return {};
  if (tls.credentialName !== undefined) {
    return { tlsCertificateSdsSecretConfigs: [sdsSecret(ownSecretName(tls.credentialName))] };
  }
  return {
    tlsCertificates: [
      {
        certificateChain: { filename: tls.clientCertificate ?? '' },
        privateKey: { filename: tls.privateKey ?? '' },
      },
    ],
  };
}

function validation(tls: ClientTls, names: readonly string[], systemRoots: SystemRoots): CommonTlsContext {
  const sans: CertificateValidationContext =
    names.length === 0
      ? {}
      : { matchTypedSubjectAltNames: names.map((exact) => ({ sanType: sanType(exact), matcher: { exact } })) };
  if (tls.credentialName !== undefined) {
    return {
      combinedValidationContext: {
        defaultValidationContext: sans,
        validationContextSdsSecretConfig: sdsSecret(ownSecretName(`${tls.credentialName}-cacert`)),
      },
    };
  }
  const roots: CertificateValidationContext =
    tls.caCertificates === undefined ? systemRoots : { trustedCa: { filename: tls.caCertificates } };
  return { validationContext: { ...roots, ...sans } };
}

function sanType(name: string): 'URI' | 'DNS' {
  return name.includes('://') ? 'URI' : 'DNS';
}
