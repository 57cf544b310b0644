// TLS, secrets and transport sockets.
import type { SupportTable } from './support-table.ts';

const tls = 'envoy.extensions.transport_sockets.tls.v3';
const useSds = 'use tls_certificates or tls_certificate_sds_secret_configs';

/** `envoy.extensions.transport_sockets`. */
export const tlsSupport: SupportTable = {
  [`${tls}.UpstreamTlsContext`]: {
    carried: 'common_tls_context sni max_session_keys',
    harmless: { enforce_rsa_key_usage: 'key usage is checked by OpenSSL' },
    instead: { allow_renegotiation: 'renegotiation is never allowed' },
  },
  [`${tls}.DownstreamTlsContext`]: {
    carried:
      'common_tls_context require_client_certificate require_sni session_ticket_keys session_ticket_keys_sds_secret_config session_timeout disable_stateless_session_resumption',
    harmless: {
      full_scan_certs_on_sni_mismatch: 'an unknown server name always gets whichever key type its client can use',
    },
    values: { ocsp_staple_policy: 'LENIENT_STAPLING' },
    instead: {
      disable_stateful_session_resumption: 'sessions resume by ticket only; use disable_stateless_session_resumption',
    },
  },
  [`${tls}.CommonTlsContext`]: {
    carried:
      'tls_params tls_certificates validation_context alpn_protocols tls_certificate_sds_secret_configs validation_context_sds_secret_config combined_validation_context',
    harmless: { key_log: 'keys are not logged' },
    instead: {
      tls_certificate_provider_instance: useSds,
      tls_certificate_certificate_provider: useSds,
      tls_certificate_certificate_provider_instance: useSds,
      validation_context_certificate_provider: 'use validation_context',
      validation_context_certificate_provider_instance: 'use validation_context',
    },
  },
  [`${tls}.CommonTlsContext.CombinedCertificateValidationContext`]: {
    carried: 'default_validation_context validation_context_sds_secret_config',
    instead: {
      validation_context_certificate_provider: 'use validation_context_sds_secret_config',
      validation_context_certificate_provider_instance: 'use validation_context_sds_secret_config',
    },
  },
  [`${tls}.TlsParameters`]: {
    carried: 'tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites ecdh_curves signature_algorithms',
  },
  [`${tls}.TlsCertificate`]: {
    carried: 'certificate_chain private_key password pkcs12 watched_directory',
    harmless: { signed_certificate_timestamp: 'it is not sent' },
    instead: { private_key_provider: 'give private_key', ocsp_staple: 'OCSP stapling is not carried out' },
  },
  [`${tls}.SdsSecretConfig`]: {
    carried: 'name sds_config',
    inside: { sds_config: 'path_config_source' },
  },
  [`${tls}.CertificateValidationContext`]: {
    carried:
      'trusted_ca verify_certificate_hash verify_certificate_spki match_typed_subject_alt_names match_subject_alt_names crl allow_expired_certificate trust_chain_verification watched_directory system_root_certs',
    instead: {
      ca_certificate_provider_instance: 'use trusted_ca',
      custom_validator_config: 'use trusted_ca and match_typed_subject_alt_names',
      require_signed_certificate_timestamp: 'remove it',
      only_verify_leaf_cert_crl: 'every certificate of the chain is checked',
      max_verify_depth: 'chains are limited by OpenSSL',
    },
  },
  [`${tls}.CertificateValidationContext.SystemRootCerts`]: { carried: '' },
  [`${tls}.SubjectAltNameMatcher`]: { carried: 'san_type matcher', values: { san_type: 'EMAIL DNS URI IP_ADDRESS' } },
  [`${tls}.Secret`]: {
    carried: 'name tls_certificate validation_context session_ticket_keys',
    instead: { generic_secret: 'nothing here uses a generic secret' },
  },
  [`${tls}.TlsSessionTicketKeys`]: { carried: 'keys' },
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': { carried: '' },
  'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport': {
    carried: 'config transport_socket',
  },
  'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport': {
    carried: 'transport_socket',
    harmless: { passthrough_metadata: 'metadata stays on its side of an internal connection' },
  },
};
