// Clusters, endpoints and load balancing.
import type { SupportTable } from './support-table.ts';

const cluster = 'envoy.config.cluster.v3';
const endpoint = 'envoy.config.endpoint.v3';
const balancing = 'envoy.extensions.load_balancing_policies';
const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** RFC 9113 §6.9.1; below the protocol's own a connection's window cannot be told. As Envoy. */
const windowRange = [65_535, 0x7fff_ffff] as const;
const noSlowStart = 'a new host gets its full share at once';
const noZones = 'hosts of all zones are used alike';

/** `envoy.config.cluster.v3`, `envoy.config.endpoint.v3` and upstream extensions. */
export const clusterSupport: SupportTable = {
  [`${cluster}.Cluster`]: {
    carried:
      'name type eds_cluster_config connect_timeout per_connection_buffer_limit_bytes lb_policy load_assignment circuit_breakers dns_refresh_rate ' +
      'dns_failure_refresh_rate dns_lookup_family respect_dns_ttl outlier_detection cleanup_interval ring_hash_lb_config maglev_lb_config ' +
      'least_request_lb_config round_robin_lb_config original_dst_lb_config transport_socket transport_socket_matches metadata common_lb_config alt_stat_name ' +
      'upstream_bind_config upstream_connection_options typed_extension_protocol_options load_balancing_policy filters ' +
      // Deprecated, and still what many files say.
      'http_protocol_options http2_protocol_options common_http_protocol_options upstream_http_protocol_options max_requests_per_connection protocol_selection',
    harmless: {
      close_connections_on_host_health_failure: 'connections to an ejected host end with their exchanges',
      ignore_health_on_host_removal: 'a host that EDS removes is removed at once',
      track_timeout_budgets: 'timeout budgets are not counted',
      track_cluster_stats: 'further statistics are not kept',
      lrs_server: 'load is not reported',
      lrs_report_endpoint_metrics: 'load is not reported',
      preconnect_policy: 'connections are opened when needed',
      wait_for_warm_on_init: 'clusters always warm before they are used',
      typed_dns_resolver_config: "names are resolved by the system's resolver configuration",
      dns_resolution_config: "names are resolved by the system's resolver configuration",
      use_tcp_for_dns_lookups: "names are resolved by the system's resolver configuration",
      lb_subset_config: 'subsets are sent as clusters of their own; hosts are not divided by metadata',
    },
    newer: { 58: 'dns_jitter: refreshes are spread anyway' },
    instead: {
      health_checks: 'active health checks are not carried out yet; use outlier_detection',
      cluster_type: 'use type STATIC, STRICT_DNS, LOGICAL_DNS, EDS or ORIGINAL_DST',
      connection_pool_per_downstream_connection: 'connections are shared; remove it',
      upstream_config: 'use typed_extension_protocol_options',
      dns_resolvers: 'name servers come from the system; remove it',
    },
  },
  [`${cluster}.Filter`]: { carried: 'name typed_config', instead: { config_discovery: 'give typed_config' } },
  [`${cluster}.Cluster.EdsClusterConfig`]: { carried: 'eds_config service_name' },
  [`${cluster}.Cluster.RefreshRate`]: { carried: 'base_interval max_interval' },
  [`${cluster}.Cluster.RingHashLbConfig`]: { carried: 'minimum_ring_size maximum_ring_size hash_function' },
  [`${cluster}.Cluster.MaglevLbConfig`]: { carried: 'table_size' },
  [`${cluster}.Cluster.LeastRequestLbConfig`]: {
    carried: 'choice_count active_request_bias',
    harmless: { slow_start_config: noSlowStart },
  },
  [`${cluster}.Cluster.RoundRobinLbConfig`]: { carried: '', harmless: { slow_start_config: noSlowStart } },
  [`${cluster}.Cluster.OriginalDstLbConfig`]: {
    carried: 'use_http_header http_header_name upstream_port_override',
    instead: { metadata_key: 'use use_http_header' },
    ranges: { upstream_port_override: [0, 65_535] },
  },
  [`${cluster}.Cluster.TransportSocketMatch`]: { carried: 'name match transport_socket' },
  [`${cluster}.Cluster.CommonLbConfig`]: {
    carried: 'healthy_panic_threshold locality_weighted_lb_config consistent_hashing_lb_config',
    harmless: {
      zone_aware_lb_config: noZones,
      update_merge_window: 'updates take effect at once',
      ignore_new_hosts_until_first_hc: 'there is no active health check to wait for',
      close_connections_on_host_set_change: 'connections to hosts that remain are kept',
      override_host_status: 'no filter overrides hosts',
    },
  },
  [`${cluster}.Cluster.CommonLbConfig.LocalityWeightedLbConfig`]: { carried: '' },
  [`${cluster}.Cluster.CommonLbConfig.ConsistentHashingLbConfig`]: {
    carried: 'use_hostname_for_hashing',
    instead: { hash_balance_factor: 'bounded load is not carried out' },
  },
  [`${cluster}.UpstreamConnectionOptions`]: {
    carried: 'tcp_keepalive',
    harmless: {
      set_local_interface_name_on_upstream_connections: 'it is for logs of Envoy only',
      happy_eyeballs_config: 'addresses are tried in the order of the resolver',
    },
  },
  [`${cluster}.CircuitBreakers`]: {
    carried: 'thresholds',
    instead: { per_host_thresholds: 'use thresholds, which hold for the whole cluster' },
  },
  [`${cluster}.CircuitBreakers.Thresholds`]: {
    carried: 'priority max_connections max_pending_requests max_requests max_retries retry_budget track_remaining',
    harmless: { max_connection_pools: 'there is one pool per host' },
  },
  [`${cluster}.CircuitBreakers.Thresholds.RetryBudget`]: { carried: 'budget_percent min_retry_concurrency' },
  [`${cluster}.OutlierDetection`]: {
    carried:
      'consecutive_5xx interval base_ejection_time max_ejection_time max_ejection_time_jitter max_ejection_percent enforcing_consecutive_5xx ' +
      'consecutive_gateway_failure enforcing_consecutive_gateway_failure split_external_local_origin_errors consecutive_local_origin_failure ' +
      'enforcing_consecutive_local_origin_failure always_eject_one_host ' +
      'success_rate_minimum_hosts success_rate_request_volume success_rate_stdev_factor enforcing_success_rate enforcing_local_origin_success_rate ' +
      'failure_percentage_threshold enforcing_failure_percentage enforcing_failure_percentage_local_origin failure_percentage_minimum_hosts failure_percentage_request_volume',
    harmless: { successful_active_health_check_uneject_host: 'there is no active health check' },
  },
  [`${cluster}.LoadBalancingPolicy`]: { carried: 'policies' },
  [`${cluster}.LoadBalancingPolicy.Policy`]: { carried: 'typed_extension_config' },
  [`${balancing}.round_robin.v3.RoundRobin`]: {
    carried: 'locality_lb_config',
    harmless: { slow_start_config: noSlowStart },
  },
  [`${balancing}.least_request.v3.LeastRequest`]: {
    carried: 'choice_count active_request_bias locality_lb_config enable_full_scan selection_method',
    harmless: { slow_start_config: noSlowStart },
  },
  [`${balancing}.random.v3.Random`]: { carried: 'locality_lb_config' },
  [`${balancing}.ring_hash.v3.RingHash`]: {
    carried:
      'hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing consistent_hashing_lb_config locality_weighted_lb_config',
  },
  [`${balancing}.maglev.v3.Maglev`]: { carried: 'table_size consistent_hashing_lb_config locality_weighted_lb_config' },
  [`${balancing}.wrr_locality.v3.WrrLocality`]: { carried: 'endpoint_picking_policy' },
  [`${balancing}.cluster_provided.v3.ClusterProvided`]: { carried: '' },
  [`${balancing}.common.v3.LocalityLbConfig`]: {
    carried: 'locality_weighted_lb_config',
    harmless: { zone_aware_lb_config: noZones },
  },
  [`${balancing}.common.v3.LocalityLbConfig.LocalityWeightedLbConfig`]: { carried: '' },
  [`${balancing}.common.v3.ConsistentHashingLbConfig`]: {
    carried: 'use_hostname_for_hashing',
    instead: { hash_balance_factor: 'bounded load is not carried out' },
  },
  [httpOptions]: {
    carried:
      'common_http_protocol_options upstream_http_protocol_options explicit_http_config use_downstream_protocol_config auto_config',
    harmless: { header_validation_config: 'headers are always validated by the RFC' },
    instead: { http_filters: 'use http_filters of the connection manager' },
  },
  [`${httpOptions}.ExplicitHttpConfig`]: {
    carried: 'http_protocol_options http2_protocol_options',
    instead: { http3_protocol_options: 'HTTP/3 is not carried out' },
  },
  [`${httpOptions}.UseDownstreamHttpConfig`]: {
    carried: 'http_protocol_options http2_protocol_options',
    instead: { http3_protocol_options: 'HTTP/3 is not carried out' },
  },
  [`${httpOptions}.AutoHttpConfig`]: {
    carried: 'http_protocol_options http2_protocol_options',
    instead: {
      http3_protocol_options: 'HTTP/3 is not carried out',
      alternate_protocols_cache_options: 'HTTP/3 is not carried out',
    },
  },
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': {
    carried: 'auto_sni auto_san_validation override_auto_sni_header',
  },
  'envoy.config.core.v3.Http2ProtocolOptions': {
    carried:
      'connection_keepalive max_concurrent_streams hpack_table_size initial_stream_window_size initial_connection_window_size ' +
      'max_outbound_frames max_outbound_control_frames max_consecutive_inbound_frames_with_empty_payload ' +
      'max_inbound_priority_frames_per_stream max_inbound_window_update_frames_per_data_frame_sent ' +
      'stream_error_on_invalid_http_messaging override_stream_error_on_invalid_http_message',
    harmless: {
      use_oghttp2_codec: "the codec is Weft's own",
      allow_connect: 'extended CONNECT is always understood; upgrade_configs say what may be upgraded',
    },
    instead: {
      allow_metadata: 'METADATA frames are not carried; leave it out',
      custom_settings_parameters: 'settings go by the fields that have names; leave it out',
    },
    defaults: { allow_metadata: false },
    ranges: {
      max_concurrent_streams: [1, 0x7fff_ffff],
      initial_stream_window_size: windowRange,
      initial_connection_window_size: windowRange,
      max_outbound_frames: [1, 0xffff_ffff],
      max_outbound_control_frames: [1, 0xffff_ffff],
      max_inbound_window_update_frames_per_data_frame_sent: [1, 0xffff_ffff],
    },
    newer: {
      17: 'METADATA frames are not carried, whatever their size',
      18: 'values are compressed where it pays',
    },
  },
  'envoy.config.core.v3.KeepaliveSettings': {
    carried: 'interval timeout interval_jitter connection_idle_interval',
    durations: { interval: 'optional', timeout: 'required', connection_idle_interval: 'optional' },
  },

  [`${endpoint}.ClusterLoadAssignment`]: {
    carried: 'cluster_name endpoints policy',
    instead: { named_endpoints: 'give the endpoint in each lb_endpoint' },
  },
  [`${endpoint}.ClusterLoadAssignment.Policy`]: {
    carried: 'overprovisioning_factor drop_overloads weighted_priority_health',
    harmless: { endpoint_stale_after: 'endpoints are used until others come' },
  },
  [`${endpoint}.ClusterLoadAssignment.Policy.DropOverload`]: { carried: 'category drop_percentage' },
  [`${endpoint}.LocalityLbEndpoints`]: {
    carried: 'locality lb_endpoints load_balancer_endpoints load_balancing_weight priority metadata',
    harmless: { proximity: 'priorities decide' },
    instead: {
      leds_cluster_locality_config: 'send the endpoints in lb_endpoints',
    },
  },
  [`${endpoint}.LocalityLbEndpoints.LbEndpointList`]: { carried: 'lb_endpoints' },
  [`${endpoint}.LbEndpoint`]: {
    carried: 'endpoint health_status metadata load_balancing_weight',
    instead: { endpoint_name: 'give the endpoint itself' },
  },
  [`${endpoint}.Endpoint`]: {
    carried: 'address hostname',
    harmless: {
      health_check_config: 'there is no active health check',
      additional_addresses: 'the first address is used',
    },
  },
};
