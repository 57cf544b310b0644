// Route configurations.
import type { SupportTable } from './support-table.ts';

const route = 'envoy.config.route.v3';
const action = `${route}.RouteAction`;
const headerMutations =
  'request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove';
const noSubsets = 'clusters have no subsets';
const notYetMirror = 'mirroring is not carried out yet';
const notYetLimits = 'rate limits are not carried out yet';

/** `envoy.config.route.v3`. */
export const routeSupport: SupportTable = {
  [`${route}.RouteConfiguration`]: {
    carried: `name virtual_hosts ${headerMutations} most_specific_header_mutations_wins ignore_port_in_host_matching ignore_path_parameters_in_path_matching max_direct_response_body_size_bytes typed_per_filter_config metadata internal_only_headers validate_clusters`,
    instead: {
      vhds: 'send the virtual hosts with the route configuration',
      cluster_specifier_plugins: 'use cluster, weighted_clusters or cluster_header',
      request_mirror_policies: notYetMirror,
    },
  },
  [`${route}.FilterConfig`]: { carried: 'config disabled' },
  [`${route}.VirtualHost`]: {
    carried: `name domains routes require_tls ${headerMutations} include_request_attempt_count include_attempt_count_in_response typed_per_filter_config retry_policy per_request_buffer_limit_bytes metadata`,
    harmless: {
      virtual_clusters: 'statistics per virtual cluster are not kept',
      include_is_timeout_retry_header: 'it informs the upstream only',
    },
    instead: {
      rate_limits: notYetLimits,
      cors: 'use typed_per_filter_config with a CorsPolicy',
      hedge_policy: 'hedging is not carried out yet; use a retry_policy with per_try_timeout',
      retry_policy_typed_config: 'use retry_policy',
      matcher: 'use routes',
      request_mirror_policies: notYetMirror,
    },
  },
  [`${route}.Route`]: {
    carried: `match route redirect direct_response metadata ${headerMutations} typed_per_filter_config name per_request_buffer_limit_bytes non_forwarding_action stat_prefix`,
    harmless: { decorator: 'no spans are sent', tracing: 'no spans are sent' },
    instead: { filter_action: 'use route, redirect or direct_response' },
  },
  [`${route}.NonForwardingAction`]: { carried: '' },
  [`${route}.RouteMatch`]: {
    carried:
      'prefix path safe_regex path_separated_prefix connect_matcher case_sensitive headers query_parameters runtime_fraction grpc tls_context',
    instead: {
      dynamic_metadata: 'no filter sets dynamic metadata, so nothing can match it; use headers',
      path_match_policy: 'use safe_regex or path_separated_prefix',
    },
  },
  [`${route}.RouteMatch.ConnectMatcher`]: { carried: '' },
  [`${route}.RouteMatch.GrpcRouteMatchOptions`]: { carried: '' },
  [`${route}.RouteMatch.TlsContextMatchOptions`]: { carried: 'presented validated' },
  [`${route}.HeaderMatcher`]: {
    carried:
      'name string_match present_match range_match invert_match treat_missing_header_as_empty exact_match prefix_match suffix_match contains_match safe_regex_match',
  },
  [`${route}.QueryParameterMatcher`]: { carried: 'name string_match present_match' },
  [action]: {
    carried:
      'cluster cluster_header weighted_clusters cluster_not_found_response_code prefix_rewrite regex_rewrite host_rewrite_literal auto_host_rewrite ' +
      'host_rewrite_header host_rewrite_path_regex append_x_forwarded_host timeout idle_timeout max_grpc_timeout grpc_timeout_offset max_stream_duration retry_policy priority hash_policy upgrade_configs',
    harmless: {
      metadata_match: noSubsets,
      include_vh_rate_limits: 'it concerns rate limits only',
      early_data_policy: 'TLS early data is not accepted',
    },
    instead: {
      rate_limits: notYetLimits,
      cors: 'use typed_per_filter_config with a CorsPolicy',
      hedge_policy: 'hedging is not carried out yet; use a retry_policy with per_try_timeout',
      request_mirror_policies: notYetMirror,
      retry_policy_typed_config: 'use retry_policy',
      internal_redirect_policy: 'redirects are passed on to the client; remove it',
      internal_redirect_action: 'redirects are passed on to the client; remove it',
      max_internal_redirects: 'redirects are passed on to the client; remove it',
      cluster_specifier_plugin: 'use cluster, weighted_clusters or cluster_header',
      inline_cluster_specifier_plugin: 'use cluster, weighted_clusters or cluster_header',
      path_rewrite_policy: 'use prefix_rewrite or regex_rewrite',
    },
    defaults: { internal_redirect_action: 'PASS_THROUGH_INTERNAL_REDIRECT' },
  },
  [`${action}.HashPolicy`]: { carried: 'header cookie connection_properties query_parameter terminal' },
  [`${action}.HashPolicy.Header`]: { carried: 'header_name regex_rewrite' },
  [`${action}.HashPolicy.Cookie`]: { carried: 'name ttl path attributes' },
  [`${action}.HashPolicy.CookieAttribute`]: { carried: 'name value' },
  [`${action}.HashPolicy.ConnectionProperties`]: { carried: 'source_ip' },
  [`${action}.HashPolicy.QueryParameter`]: { carried: 'name' },
  [`${action}.UpgradeConfig`]: { carried: 'upgrade_type enabled connect_config' },
  [`${action}.UpgradeConfig.ConnectConfig`]: {
    carried: 'allow_post',
    instead: { proxy_protocol_config: 'no PROXY header can be sent' },
  },
  [`${action}.MaxStreamDuration`]: {
    carried: 'max_stream_duration grpc_timeout_header_max grpc_timeout_header_offset',
  },
  [`${route}.WeightedCluster`]: {
    carried: 'clusters total_weight header_name',
    harmless: { runtime_key_prefix: 'Weft has no runtime to override weights' },
  },
  [`${route}.WeightedCluster.ClusterWeight`]: {
    carried: `name weight ${headerMutations} typed_per_filter_config host_rewrite_literal cluster_header`,
    harmless: { metadata_match: noSubsets },
  },
  [`${route}.RetryPolicy`]: {
    carried:
      'retry_on num_retries per_try_timeout per_try_idle_timeout retriable_status_codes retriable_headers retriable_request_headers retry_back_off retry_host_predicate host_selection_retry_max_attempts',
    harmless: { retry_priority: 'a retry picks any host of the priority in use' },
    instead: {
      rate_limited_retry_back_off: 'use retry_back_off',
      retry_options_predicates: 'a retry keeps the options of the first attempt',
    },
  },
  [`${route}.RetryPolicy.RetryBackOff`]: { carried: 'base_interval max_interval' },
  [`${route}.RetryPolicy.RetryHostPredicate`]: { carried: 'name typed_config' },
  'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate': { carried: '' },
  [`${route}.RedirectAction`]: {
    carried:
      'host_redirect path_redirect prefix_rewrite regex_rewrite response_code https_redirect scheme_redirect port_redirect strip_query',
    ranges: { port_redirect: [0, 65_535] },
  },
  [`${route}.DirectResponseAction`]: { carried: 'status body' },
};
