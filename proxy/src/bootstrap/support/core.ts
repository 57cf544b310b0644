// Addresses, data sources, config sources, matchers: what every other message is made of.
import type { SupportTable } from './support-table.ts';

const core = 'envoy.config.core.v3';
const matcher = 'envoy.type.matcher.v3';
const onlyAds = 'use ads: {} (or an api_config_source of type GRPC or DELTA_GRPC)';

/** `envoy.config.core.v3`, `envoy.type.v3` and `envoy.type.matcher.v3`. */
export const coreSupport: SupportTable = {
  [`${core}.Address`]: { carried: 'socket_address pipe envoy_internal_address' },
  [`${core}.SocketAddress`]: {
    carried: 'protocol address port_value ipv4_compat',
    values: { protocol: 'TCP' },
    // 0 lets the system choose.
    ranges: { port_value: [0, 65_535] },
    instead: {
      named_port: 'write the port as a number in port_value',
      resolver_name: 'use a STRICT_DNS cluster to resolve names',
    },
  },
  [`${core}.BindConfig`]: {
    carried: 'source_address extra_source_addresses',
    instead: {
      freebind: 'bind to an address that this machine has',
      socket_options: 'options of upstream sockets cannot be set; the defaults of the system hold',
      additional_source_addresses: 'use extra_source_addresses',
      local_address_selector: 'the first address of the family of the endpoint is taken; remove it',
    },
    defaults: { freebind: false },
  },
  [`${core}.ExtraSourceAddress`]: {
    carried: 'address',
    instead: { socket_options: 'options of upstream sockets cannot be set; the defaults of the system hold' },
  },
  [`${core}.Pipe`]: { carried: 'path mode', ranges: { mode: [0, 0o777] } },
  [`${core}.EnvoyInternalAddress`]: { carried: 'server_listener_name endpoint_id' },
  [`${core}.CidrRange`]: { carried: 'address_prefix prefix_len', ranges: { prefix_len: [0, 128] } },
  [`${core}.Locality`]: { carried: 'region zone sub_zone' },
  [`${core}.Metadata`]: {
    carried: 'filter_metadata',
    harmless: { typed_filter_metadata: 'nothing in Weft reads typed metadata' },
  },
  [`${core}.DataSource`]: { carried: 'filename inline_bytes inline_string environment_variable watched_directory' },
  [`${core}.WatchedDirectory`]: { carried: 'path' },
  [`${core}.HeaderValue`]: { carried: 'key value raw_value' },
  [`${core}.HeaderValueOption`]: {
    carried: 'header append append_action keep_empty_value',
  },
  [`${core}.TransportSocket`]: { carried: 'name typed_config' },
  [`${core}.ProxyProtocolConfig`]: { carried: 'version pass_through_tlvs' },
  [`${core}.ProxyProtocolPassThroughTLVs`]: { carried: 'match_type tlv_type' },
  [`${core}.TypedExtensionConfig`]: { carried: 'name typed_config' },
  [`${core}.RuntimeFractionalPercent`]: {
    carried: 'default_value',
    harmless: { runtime_key: 'Weft has no runtime to override values; default_value holds' },
  },
  [`${core}.RuntimeUInt32`]: {
    carried: 'default_value',
    harmless: { runtime_key: 'Weft has no runtime to override values; default_value holds' },
  },
  [`${core}.RuntimeDouble`]: {
    carried: 'default_value',
    harmless: { runtime_key: 'Weft has no runtime to override values; default_value holds' },
  },
  'envoy.type.v3.FractionalPercent': { carried: 'numerator denominator' },
  'envoy.type.v3.Percent': { carried: 'value' },
  'envoy.type.v3.Int64Range': { carried: 'start end' },
  'envoy.type.v3.Int32Range': { carried: 'start end' },
  'envoy.type.v3.DoubleRange': { carried: 'start end' },
  'envoy.type.v3.HttpStatus': { carried: 'code' },
  [`${core}.TcpKeepalive`]: {
    carried: 'keepalive_time',
    harmless: {
      keepalive_probes: 'the number of probes is left to the system',
      keepalive_interval: 'the interval of probes is left to the system',
    },
  },

  [`${core}.ConfigSource`]: {
    carried: 'ads api_config_source initial_fetch_timeout resource_api_version',
    values: { resource_api_version: 'AUTO V3' },
    instead: { path: onlyAds, path_config_source: onlyAds, self: onlyAds },
  },
  'envoy.service.discovery.v3.DiscoveryResponse': {
    carried: 'resources version_info',
    harmless: {
      type_url: 'each resource says its own type',
      nonce: 'a file is not acknowledged',
      control_plane: 'it only tells who wrote the file',
    },
  },
  [`${core}.PathConfigSource`]: { carried: 'path watched_directory' },
  [`${core}.AggregatedConfigSource`]: { carried: '' },
  [`${core}.ApiConfigSource`]: {
    carried: 'api_type grpc_services transport_api_version set_node_on_first_message_only',
    values: { api_type: 'GRPC DELTA_GRPC', transport_api_version: 'AUTO V3' },
    harmless: {
      request_timeout: 'it is for REST only',
      refresh_delay: 'it is for REST only',
      rate_limit_settings: 'requests are few; they are not limited',
    },
    instead: { cluster_names: 'name the cluster in grpc_services[0].envoy_grpc' },
  },
  [`${core}.GrpcService`]: {
    carried: 'envoy_grpc initial_metadata timeout',
    harmless: { retry_policy: 'the stream reconnects with its own back-off' },
    instead: { google_grpc: 'use envoy_grpc with a static cluster' },
  },
  [`${core}.GrpcService.EnvoyGrpc`]: {
    carried: 'cluster_name authority max_receive_message_length',
    harmless: {
      retry_policy: 'the stream reconnects with its own back-off',
      skip_envoy_headers: 'no such headers are sent',
    },
  },
  [`${core}.GrpcMethodList`]: { carried: 'services' },
  [`${core}.GrpcMethodList.Service`]: { carried: 'name method_names' },
  [`${core}.Node`]: {
    carried:
      'id cluster metadata locality user_agent_name user_agent_version user_agent_build_version extensions client_features listening_addresses dynamic_parameters',
  },
  [`${core}.BuildVersion`]: { carried: 'version metadata' },
  'envoy.type.v3.SemanticVersion': { carried: 'major_number minor_number patch' },
  [`${core}.Extension`]: { carried: 'name category version disabled type_urls type_descriptor' },
  'xds.core.v3.ContextParams': { carried: 'params' },

  [`${matcher}.StringMatcher`]: { carried: 'exact prefix suffix contains safe_regex ignore_case' },
  [`${matcher}.ListStringMatcher`]: { carried: 'patterns' },
  [`${matcher}.RegexMatcher`]: { carried: 'regex google_re2' },
  [`${matcher}.RegexMatcher.GoogleRE2`]: {
    carried: '',
    harmless: { max_program_size: 'expressions are matched in linear time; their size is not limited' },
  },
  [`${matcher}.RegexMatchAndSubstitute`]: { carried: 'pattern substitution' },
  [`${matcher}.PathMatcher`]: { carried: 'path' },
};
