// The HTTP connection manager and the HTTP filters.
import type { SupportTable } from './support-table.ts';

const core = 'envoy.config.core.v3';
const manager = 'envoy.extensions.filters.network.http_connection_manager.v3';
const connectionManager = `${manager}.HttpConnectionManager`;
const filter = 'envoy.extensions.filters.http';

/** The connection manager, protocol options and HTTP filters. */
export const httpSupport: SupportTable = {
  [connectionManager]: {
    carried:
      'codec_type stat_prefix rds route_config http_filters http_protocol_options server_name access_log use_remote_address generate_request_id ' +
      'forward_client_cert_details set_current_client_cert_details xff_num_trusted_hops skip_xff_append via upgrade_configs ' +
      'stream_idle_timeout request_timeout request_headers_timeout max_request_headers_kb normalize_path merge_slashes ' +
      'path_with_escaped_slashes_action server_header_transformation common_http_protocol_options preserve_external_request_id ' +
      'always_set_request_id_in_response strip_matching_host_port strip_any_host_port ' +
      'scheme_header_transformation tracing ' +
      'request_id_extension access_log_options http2_protocol_options stream_error_on_invalid_http_message',
    harmless: {
      drain_timeout: 'connections drain for the time that the process is given to stop',
      proxy_100_continue: 'the request goes on at once; the upstream answers as a whole',
      internal_address_config: 'no header depends on whether an address is internal',
      delayed_close_timeout: 'a connection is closed once its last bytes are sent, after at most one second',
      access_log_flush_interval: 'an exchange is logged once, when it ends',
      flush_access_log_on_new_request: 'an exchange is logged once, when it ends',
      add_proxy_protocol_connection_state: 'no upstream reads it',
      append_local_overload: 'the overload manager answers no requests',
      typed_header_validation_config: 'headers are always validated by the RFC',
      represent_ipv4_remote_address_as_ipv4_mapped_ipv6: 'addresses are written as they are',
      http3_protocol_options: 'HTTP/3 is not offered',
    },
    values: { codec_type: 'AUTO HTTP1 HTTP2' },
    instead: {
      scoped_routes: 'use rds or route_config',
      original_ip_detection_extensions: 'use use_remote_address and xff_num_trusted_hops',
      early_header_mutation_extensions: 'use request_headers_to_add of the routes',
      path_normalization_options: 'use normalize_path and merge_slashes',
      local_reply_config: 'changing local replies is not carried out yet',
      strip_trailing_host_dot: 'list the host with its dot in the domains',
      append_x_forwarded_port: 'x-forwarded-port is not sent',
      add_user_agent: 'use request_headers_to_add of the routes',
      proxy_status_config: 'local replies name their cause in x-weft-decision; remove it',
    },
  },
  [`${connectionManager}.SetCurrentClientCertDetails`]: { carried: 'subject cert chain dns uri' },
  [`${connectionManager}.UpgradeConfig`]: {
    carried: 'upgrade_type enabled',
    instead: { filters: 'every upgrade passes http_filters' },
  },
  [`${connectionManager}.HcmAccessLogOptions`]: {
    carried: '',
    harmless: {
      access_log_flush_interval: 'an exchange is logged once, when it ends',
      flush_access_log_on_new_request: 'an exchange is logged once, when it ends',
      flush_log_on_tunnel_successfully_established: 'an exchange is logged once, when it ends',
    },
  },
  // Sampling and tags say something about spans only; without a provider there are none.
  [`${connectionManager}.Tracing`]: {
    carried: '',
    harmless: {
      client_sampling: 'no spans are sent',
      random_sampling: 'no spans are sent',
      overall_sampling: 'no spans are sent',
      verbose: 'no spans are sent',
      max_path_tag_length: 'no spans are sent',
      custom_tags: 'no spans are sent',
      spawn_upstream_span: 'no spans are sent',
    },
    instead: { provider: 'tracing is not carried out yet; remove the provider' },
  },
  [`${manager}.Rds`]: { carried: 'config_source route_config_name' },
  [`${manager}.HttpFilter`]: {
    carried: 'name typed_config is_optional disabled',
    instead: { config_discovery: 'give typed_config; filters are not discovered' },
  },
  [`${manager}.RequestIDExtension`]: { carried: 'typed_config' },
  'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig': {
    carried: '',
    harmless: {
      pack_trace_reason: 'request ids carry no trace decision',
      use_request_id_for_trace_sampling: 'no spans are sent',
    },
  },
  [`${core}.SchemeHeaderTransformation`]: {
    carried: '',
    harmless: { match_upstream: 'HTTP/1 requests carry no scheme' },
    instead: { scheme_to_overwrite: 'the scheme of a request stays what it is' },
  },
  [`${core}.HttpProtocolOptions`]: {
    carried:
      'idle_timeout max_headers_count max_connection_duration max_stream_duration headers_with_underscores_action max_requests_per_connection',
  },
  [`${core}.Http1ProtocolOptions`]: {
    carried: 'accept_http_10 header_key_format',
    harmless: {
      enable_trailers: 'trailers are always passed on',
      use_balsa_parser: "the parser is Weft's own",
      override_stream_error_on_invalid_http_message: 'a malformed HTTP/1 message always ends its connection',
      allow_custom_methods: 'every method name is allowed',
      send_fully_qualified_url: 'requests are sent with their path',
    },
    instead: {
      allow_absolute_url: 'absolute-form requests are always understood',
      default_host_for_http_10: 'let clients send Host',
      allow_chunked_length: 'a message with both lengths is always refused: it enables request smuggling',
    },
    defaults: { allow_absolute_url: true },
  },
  // Case is kept from HTTP/1 to HTTP/1, whichever formatter asks for it.
  [`${core}.Http1ProtocolOptions.HeaderKeyFormat`]: {
    carried: 'stateful_formatter',
    harmless: { proper_case_words: 'names keep the case in which they came' },
  },
  'envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig': {
    carried: '',
    harmless: {
      forward_reason_phrase: 'reason phrases are not sent on',
      formatter_type_on_envoy_headers: 'added headers are lower-case',
    },
  },

  [`${filter}.router.v3.Router`]: {
    carried: 'suppress_envoy_headers',
    harmless: {
      dynamic_stats: 'the statistics of clusters are always kept',
      suppress_grpc_request_failure_code_stats: 'gRPC failures are not counted by code',
      start_child_span: 'no spans are sent',
      upstream_log_options: 'an exchange is logged once, when it ends',
    },
    instead: {
      upstream_log: 'use access_log of the connection manager',
      upstream_http_filters: 'use http_filters of the connection manager',
      respect_expected_rq_timeout: 'set the timeout in the route',
      strict_check_headers: 'invalid x-envoy- headers are ignored; remove it',
    },
  },
  [`${filter}.fault.v3.HTTPFault`]: {
    carried: 'delay abort upstream_cluster headers downstream_nodes max_active_faults',
    harmless: {
      delay_percent_runtime: 'Weft has no runtime',
      abort_percent_runtime: 'Weft has no runtime',
      delay_duration_runtime: 'Weft has no runtime',
      abort_http_status_runtime: 'Weft has no runtime',
      abort_grpc_status_runtime: 'Weft has no runtime',
      max_active_faults_runtime: 'Weft has no runtime',
      response_rate_limit_percent_runtime: 'Weft has no runtime',
      disable_downstream_cluster_stats: 'faults are not counted per caller',
      filter_metadata: 'it is for access logs of Envoy only',
    },
    instead: { response_rate_limit: 'slowing responses down is not carried out yet' },
  },
  [`${filter}.fault.v3.FaultAbort`]: { carried: 'http_status grpc_status percentage header_abort' },
  [`${filter}.fault.v3.FaultAbort.HeaderAbort`]: { carried: '' },
  'envoy.extensions.filters.common.fault.v3.FaultDelay': { carried: 'fixed_delay percentage header_delay' },
  'envoy.extensions.filters.common.fault.v3.FaultDelay.HeaderDelay': { carried: '' },
  [`${filter}.rbac.v3.RBAC`]: {
    carried: 'rules shadow_rules shadow_rules_stat_prefix rules_stat_prefix track_per_rule_stats',
    instead: { matcher: 'use rules', shadow_matcher: 'use shadow_rules' },
  },
  [`${filter}.rbac.v3.RBACPerRoute`]: { carried: 'rbac' },
  'weft.extensions.filters.http.capture_auth.v1.CaptureAuth': { carried: 'credential_sha256' },
  [`${filter}.cors.v3.Cors`]: { carried: '' },
  [`${filter}.grpc_web.v3.GrpcWeb`]: { carried: '' },
  [`${filter}.grpc_stats.v3.FilterConfig`]: {
    carried:
      'individual_method_stats_allowlist stats_for_all_methods enable_upstream_stats replace_dots_in_grpc_service_name',
    harmless: { emit_filter_state: 'no access log reads filter state' },
  },
  [`${filter}.cors.v3.CorsPolicy`]: {
    carried:
      'allow_origin_string_match allow_methods allow_headers expose_headers max_age allow_credentials ' +
      'filter_enabled shadow_enabled allow_private_network_access forward_not_matching_preflights',
  },
};
