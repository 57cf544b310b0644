// Listeners, filter chains, listener filters and network filters but the connection manager.
import { portRange, type SupportTable } from './support-table.ts';

const listener = 'envoy.config.listener.v3';
const listenerFilter = 'envoy.extensions.filters.listener';
const tcpProxy = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';

/** `envoy.config.listener.v3` and the filters of a connection. */
export const listenerSupport: SupportTable = {
  [`${listener}.Listener`]: {
    carried:
      'name address filter_chains default_filter_chain per_connection_buffer_limit_bytes metadata listener_filters ' +
      'listener_filters_timeout ignore_global_conn_limit continue_on_listener_filters_timeout traffic_direction bind_to_port ' +
      'internal_listener stat_prefix tcp_backlog_size api_listener use_original_dst transparent',
    harmless: {
      access_log:
        'connections are logged by the connection manager or TCP proxy that takes them, so give it the log; those that no filter chain takes are only counted',
      drain_type: 'listeners drain when they change and when the process stops',
      enable_reuse_port: 'on Linux several sockets of the process always share a port',
      reuse_port: 'on Linux several sockets of the process always share a port',
      connection_balance_config: 'the kernel spreads connections over the workers',
      tcp_fast_open_queue_length: 'TCP Fast Open saves a round trip only; it is not used',
      socket_options: 'options of the listening socket cannot be set; the defaults of the system hold',
      bypass_overload_manager: 'the overload manager does nothing but count connections',
      max_connections_to_accept_per_socket_event: 'accepting is paced by the event loop',
      enable_mptcp: 'plain TCP is used, which every MPTCP peer speaks',
    },
    instead: {
      deprecated_v1: 'use bind_to_port',
      additional_addresses: 'make a listener for each address',
      filter_chain_matcher: 'use filter_chain_match in each filter chain',
      udp_listener_config: 'only TCP listeners are carried out; remove the listener',
      freebind: 'bind to an address that exists, or to 0.0.0.0',
    },
    defaults: { freebind: false, enable_reuse_port: true },
  },
  [`${listener}.Listener.InternalListenerConfig`]: { carried: '' },
  [`${listener}.ApiListener`]: { carried: 'api_listener' },
  [`${listener}.FilterChain`]: {
    carried: 'filter_chain_match filters metadata transport_socket name',
    harmless: { transport_socket_connect_timeout: 'a TLS handshake has its own time limit' },
    instead: {
      use_proxy_proto: 'add the listener filter envoy.filters.listener.proxy_protocol',
      on_demand_configuration: 'filter chains are built at once; remove it',
    },
    defaults: { use_proxy_proto: false },
  },
  [`${listener}.FilterChainMatch`]: {
    carried:
      'prefix_ranges source_prefix_ranges direct_source_prefix_ranges source_ports destination_port transport_protocol application_protocols server_names source_type',
    instead: { address_suffix: 'use prefix_ranges', suffix_len: 'use prefix_ranges' },
    ranges: { destination_port: portRange, source_ports: portRange },
  },
  [`${listener}.Filter`]: {
    carried: 'name typed_config',
    instead: { config_discovery: 'give typed_config; filters are not discovered' },
  },
  [`${listener}.ListenerFilter`]: {
    carried: 'name typed_config',
    harmless: { filter_disabled: 'the filter looks at every connection' },
    instead: { config_discovery: 'give typed_config; filters are not discovered' },
  },

  [`${listenerFilter}.proxy_protocol.v3.ProxyProtocol`]: {
    carried: 'rules allow_requests_without_proxy_protocol pass_through_tlvs disallowed_versions stat_prefix',
  },
  [`${listenerFilter}.proxy_protocol.v3.ProxyProtocol.Rule`]: { carried: 'tlv_type on_tlv_present' },
  [`${listenerFilter}.proxy_protocol.v3.ProxyProtocol.KeyValuePair`]: { carried: 'metadata_namespace key' },
  [`${listenerFilter}.original_dst.v3.OriginalDst`]: { carried: '' },
  [`${listenerFilter}.http_inspector.v3.HttpInspector`]: { carried: '' },
  [`${listenerFilter}.tls_inspector.v3.TlsInspector`]: {
    carried: '',
    harmless: {
      enable_ja3_fingerprinting: 'fingerprints are not made',
      initial_read_buffer_size: 'the buffer grows as needed',
    },
  },

  [tcpProxy]: {
    carried:
      'stat_prefix cluster weighted_clusters idle_timeout access_log access_log_options max_connect_attempts max_downstream_connection_duration hash_policy ' +
      'tunneling_config',
    harmless: {
      access_log_flush_interval: 'a connection is logged once, when it ends',
      flush_access_log_on_connected: 'a connection is logged once, when it ends',
      metadata_match: 'clusters have no subsets',
    },
    instead: {
      upstream_idle_timeout: 'use idle_timeout',
      downstream_idle_timeout: 'use idle_timeout',
      on_demand: 'clusters are not discovered on demand',
    },
  },
  [`${tcpProxy}.TunnelingConfig`]: {
    carried: 'hostname use_post headers_to_add post_path',
    harmless: {
      propagate_response_headers: 'nothing here reads the headers of the answer',
      propagate_response_trailers: 'nothing here reads the trailers of the answer',
    },
  },
  [`${tcpProxy}.WeightedCluster`]: { carried: 'clusters' },
  [`${tcpProxy}.WeightedCluster.ClusterWeight`]: {
    carried: 'name weight',
    harmless: { metadata_match: 'clusters have no subsets' },
  },
  [`${tcpProxy}.TcpAccessLogOptions`]: {
    carried: '',
    harmless: {
      access_log_flush_interval: 'a connection is logged once, when it ends',
      flush_access_log_on_connected: 'a connection is logged once, when it ends',
    },
  },
  'envoy.type.v3.HashPolicy': { carried: 'source_ip' },
  'envoy.type.v3.HashPolicy.SourceIp': { carried: '' },
  'envoy.extensions.filters.network.rbac.v3.RBAC': {
    carried: 'rules shadow_rules stat_prefix shadow_rules_stat_prefix enforcement_type',
    instead: { matcher: 'use rules', shadow_matcher: 'use shadow_rules' },
  },
  'envoy.tcp.metadataexchange.config.MetadataExchange': { carried: 'protocol enable_discovery additional_labels' },
};
