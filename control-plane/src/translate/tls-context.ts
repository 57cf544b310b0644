// TLS contexts of both directions. The keys and roots themselves come over SDS.

import type { envoy, google } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import { adsSource } from './message.ts';

type CommonTlsContext = envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
type CertificateValidationContext = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
type SdsSecretConfig = envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig;
type TransportSocket = envoy.config.core.v3.TransportSocket;
type StringMatcher = envoy.type.matcher.v3.StringMatcher;

/** Name of the workload's own certificate and key. */
export const identitySecret = 'default';
/** Name of the roots that peers are checked against. */
export const trustSecret = 'ROOTCA';

const socketName = 'envoy.transport_sockets.tls';

/** A secret that is fetched by name over this stream. */
export function sdsSecret(name: string): SdsSecretConfig {
  return { name, sdsConfig: adsSource };
}

/** Certificates whose URI fits one of these; any certificate when there is none. */
function uriSans(matchers: readonly StringMatcher[]): CertificateValidationContext {
  const matchTypedSubjectAltNames = matchers.map((matcher) => ({ sanType: 'URI' as const, matcher }));
  return matchers.length === 0 ? {} : { matchTypedSubjectAltNames };
}

function meshContext(alpnProtocols: readonly string[], peers: readonly StringMatcher[]): CommonTlsContext {
  return {
    tlsCertificateSdsSecretConfigs: [sdsSecret(identitySecret)],
    combinedValidationContext: {
      defaultValidationContext: uriSans(peers),
      validationContextSdsSecretConfig: sdsSecret(trustSecret),
    },
    alpnProtocols,
  };
}

/** ALPN of the mesh's mutual TLS, by what is spoken inside: a marker that a sidecar recognises, then the plain name. */
export const meshAlpn = {
  http1: ['istio-http/1.1', 'istio', 'http/1.1'],
  http2: ['istio-h2', 'istio', 'h2'],
  tcp: ['istio-peer-exchange', 'istio'],
} as const satisfies Record<string, readonly string[]>;

/** Every marker: a ClientHello that offers one of these is the mesh's own. */
export const meshAlpnMarkers: readonly string[] = [
  'istio-http/1.1',
  'istio-http/1.0',
  'istio-h2',
  'istio-peer-exchange',
  'istio',
];

/** The mesh's mutual TLS towards an upstream with one of these identities. */
export function meshUpstreamSocket(alpn: readonly string[], peers: readonly string[], sni: string): TransportSocket {
  const identities = peers.map((exact) => ({ exact }));
  return upstreamSocket({ commonTlsContext: meshContext(alpn, identities), sni });
}

/** Any TLS towards an upstream. */
export function upstreamSocket(context: envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext): TransportSocket {
  const typedConfig = packAny('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', context);
  return { name: socketName, typedConfig };
}

/**
 * The mesh's mutual TLS for callers of the workload. A root may be shared with others, so that a certificate under it says nothing:
 * it has to name an identity of the trust domain.
 */
export function meshDownstreamSocket(alpnProtocols: readonly string[], trustDomain: string): TransportSocket {
  const commonTlsContext = meshContext(alpnProtocols, [{ prefix: `spiffe://${trustDomain}/` }]);
  return downstreamSocket({ commonTlsContext, requireClientCertificate: true });
}

/** Any TLS for callers. */
export function downstreamSocket(
  context: envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext,
): TransportSocket {
  const typedConfig = packAny('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', context);
  return { name: socketName, typedConfig };
}

/** No TLS. */
export const rawSocket: { readonly name: string; readonly typedConfig: google.protobuf.Any } = {
  name: 'envoy.transport_sockets.raw_buffer',
  typedConfig: packAny('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer', {}),
};
