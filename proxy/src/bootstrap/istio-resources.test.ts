// Resources of the shapes that Istio's control plane sends to a sidecar: they must pass, with warnings at most.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { type MessageName, messageFromJson } from '@weft/lib/protobuf/codec';
import { parse } from 'yaml';
import { checkSupport } from './support.ts';

const url = 'type.googleapis.com';
const manager = `${url}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;

function errors(typeName: MessageName, yaml: string): string[] {
  const issues: Issue[] = [];
  const message = messageFromJson(typeName, parse(yaml), issues);
  issues.push(...checkSupport(typeName, message));
  return issues.filter((issue) => issue.level === 'error').map(formatIssue);
}

const accessLog = `
  - name: envoy.access_loggers.file
    filter: { response_flag_filter: { flags: [NR] } }
    typed_config:
      "@type": ${url}/envoy.extensions.access_loggers.file.v3.FileAccessLog
      path: /dev/stdout
      log_format: { text_format_source: { inline_string: "[%START_TIME%] %RESPONSE_CODE%\\n" } }`;

test('a listener that takes what iptables redirects', () => {
  const listener = `
name: virtualOutbound
address: { socket_address: { address: 0.0.0.0, port_value: 15001 } }
access_log: ${accessLog}
use_original_dst: true
traffic_direction: OUTBOUND
filter_chains:
  - name: virtualOutbound-blackhole
    filter_chain_match: { destination_port: 15001 }
    filters:
      - name: istio.stats
        typed_config: { "@type": ${url}/udpa.type.v1.TypedStruct, type_url: ${url}/stats.PluginConfig, value: {} }
      - name: envoy.filters.network.tcp_proxy
        typed_config: { "@type": ${url}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: BlackHoleCluster, cluster: BlackHoleCluster }
  - name: virtualOutbound-catchall-tcp
    filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": ${url}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: PassthroughCluster
          cluster: PassthroughCluster
          idle_timeout: 0s
`;
  assert.deepEqual(errors('envoy.config.listener.v3.Listener', listener), []);
});

test('an inbound listener with mutual TLS, detection and HTTP filters', () => {
  const listener = `
name: virtualInbound
address: { socket_address: { address: 0.0.0.0, port_value: 15006 } }
traffic_direction: INBOUND
connection_balance_config: { exact_balance: {} }
listener_filters_timeout: 0s
continue_on_listener_filters_timeout: true
listener_filters:
  - name: envoy.filters.listener.original_dst
    typed_config: { "@type": ${url}/envoy.extensions.filters.listener.original_dst.v3.OriginalDst }
  - name: envoy.filters.listener.tls_inspector
    filter_disabled: { destination_port_range: { start: 3306, end: 3307 } }
    typed_config: { "@type": ${url}/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector }
  - name: envoy.filters.listener.http_inspector
    typed_config: { "@type": ${url}/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector }
filter_chains:
  - name: 0.0.0.0_9080
    filter_chain_match: { destination_port: 9080, transport_protocol: tls, application_protocols: [istio, istio-http/1.1, h2] }
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": ${url}/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
        require_client_certificate: true
        common_tls_context:
          alpn_protocols: [h2, http/1.1]
          tls_params: { tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3, cipher_suites: [ECDHE-RSA-AES256-GCM-SHA384] }
          tls_certificate_sds_secret_configs:
            - name: default
              sds_config: &sds
                api_config_source: { api_type: GRPC, set_node_on_first_message_only: true, transport_api_version: V3, grpc_services: [{ envoy_grpc: { cluster_name: sds-grpc } }] }
                initial_fetch_timeout: 0s
                resource_api_version: V3
          combined_validation_context:
            default_validation_context: { match_subject_alt_names: [{ prefix: "spiffe://cluster.local/" }] }
            validation_context_sds_secret_config: { name: ROOTCA, sds_config: *sds }
    filters:
      - name: istio.metadata_exchange
        typed_config: { "@type": ${url}/envoy.tcp.metadataexchange.config.MetadataExchange, protocol: istio-peer-exchange }
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": ${manager}
          stat_prefix: inbound_0.0.0.0_9080
          route_config:
            name: inbound|9080||
            validate_clusters: false
            virtual_hosts:
              - name: inbound|http|9080
                domains: ["*"]
                routes:
                  - name: default
                    match: { prefix: / }
                    decorator: { operation: "reviews.default.svc.cluster.local:9080/*" }
                    route: { cluster: inbound|9080||, timeout: 0s, max_stream_duration: { max_stream_duration: 0s, grpc_timeout_header_max: 0s } }
          http_filters:
            - name: istio.metadata_exchange
              typed_config: { "@type": ${url}/io.istio.http.peer_metadata.Config, downstream_discovery: [{ istio_headers: {} }, { workload_discovery: {} }], downstream_propagation: [{ istio_headers: {} }] }
            - name: envoy.filters.http.rbac
              typed_config:
                "@type": ${url}/envoy.extensions.filters.http.rbac.v3.RBAC
                shadow_rules_stat_prefix: istio_dry_run_allow_
                rules:
                  action: DENY
                  policies:
                    ns[default]-policy[p]-rule[0]:
                      permissions: [{ and_rules: { rules: [{ or_rules: { rules: [{ header: { name: ":method", string_match: { exact: GET } } }] } }, { or_rules: { rules: [{ url_path: { path: { prefix: /admin } } }] } }] } }]
                      principals: [{ and_ids: { ids: [{ or_ids: { ids: [{ authenticated: { principal_name: { safe_regex: { regex: ".*/ns/foo/.*" } } } }] } }, { not_id: { direct_remote_ip: { address_prefix: 10.0.0.0, prefix_len: 8 } } }] } }]
            - name: istio.alpn
              typed_config: { "@type": ${url}/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig, alpn_override: [{ alpn_override: [istio-http/1.0, istio] }] }
            - name: envoy.filters.http.fault
              typed_config: { "@type": ${url}/envoy.extensions.filters.http.fault.v3.HTTPFault }
            - name: envoy.filters.http.cors
              typed_config: { "@type": ${url}/envoy.extensions.filters.http.cors.v3.Cors }
            - name: envoy.filters.http.grpc_stats
              typed_config: { "@type": ${url}/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig, emit_filter_state: true, stats_for_all_methods: false }
            - name: istio.stats
              typed_config: { "@type": ${url}/udpa.type.v1.TypedStruct, type_url: ${url}/stats.PluginConfig, value: { disable_host_header_fallback: true } }
            - name: envoy.filters.http.router
              typed_config: { "@type": ${url}/envoy.extensions.filters.http.router.v3.Router }
          tracing: { client_sampling: { value: 100 }, random_sampling: { value: 1 }, overall_sampling: { value: 100 }, custom_tags: [{ tag: istio.mesh_id, literal: { value: m } }] }
          server_name: istio-envoy
          access_log: ${accessLog.replaceAll('\n', '\n          ')}
          use_remote_address: false
          forward_client_cert_details: APPEND_FORWARD
          set_current_client_cert_details: { subject: true, dns: true, uri: true }
          proxy_100_continue: true
          upgrade_configs: [{ upgrade_type: websocket }]
          stream_idle_timeout: 0s
          normalize_path: true
          request_id_extension: { typed_config: { "@type": ${url}/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig, use_request_id_for_trace_sampling: true } }
          path_with_escaped_slashes_action: KEEP_UNCHANGED
`;
  assert.deepEqual(errors('envoy.config.listener.v3.Listener', listener), []);
});

test('clusters: EDS with automatic mutual TLS, and pass-through', () => {
  const eds = `
name: outbound|9080|v1|reviews.default.svc.cluster.local
type: EDS
eds_cluster_config:
  eds_config: { ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3 }
  service_name: outbound|9080|v1|reviews.default.svc.cluster.local
connect_timeout: 10s
lb_policy: LEAST_REQUEST
circuit_breakers: { thresholds: [{ max_connections: 4294967295, max_pending_requests: 4294967295, max_requests: 4294967295, max_retries: 4294967295, track_remaining: true }] }
outlier_detection: { consecutive_5xx: 5, interval: 10s, base_ejection_time: 30s, max_ejection_percent: 10, enforcing_success_rate: 0 }
common_lb_config: { healthy_panic_threshold: {}, locality_weighted_lb_config: {} }
metadata: { filter_metadata: { istio: { services: [{ host: reviews.default.svc.cluster.local, name: reviews, namespace: default }] } } }
filters:
  - name: istio.metadata_exchange
    typed_config: { "@type": ${url}/udpa.type.v1.TypedStruct, type_url: ${url}/envoy.tcp.metadataexchange.config.MetadataExchange, value: { protocol: istio-peer-exchange } }
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": ${url}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} }
transport_socket_matches:
  - name: tlsMode-istio
    match: { tlsMode: istio }
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": ${url}/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: outbound_.9080_.v1_.reviews.default.svc.cluster.local
        common_tls_context:
          alpn_protocols: [istio-peer-exchange, istio]
          tls_certificate_sds_secret_configs: [{ name: default, sds_config: { ads: {}, resource_api_version: V3 } }]
          combined_validation_context:
            default_validation_context: { match_typed_subject_alt_names: [{ san_type: URI, matcher: { exact: "spiffe://cluster.local/ns/default/sa/bookinfo-reviews" } }] }
            validation_context_sds_secret_config: { name: ROOTCA, sds_config: { ads: {}, resource_api_version: V3 } }
  - name: tlsMode-disabled
    match: {}
    transport_socket: { name: envoy.transport_sockets.raw_buffer, typed_config: { "@type": ${url}/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer } }
`;
  assert.deepEqual(errors('envoy.config.cluster.v3.Cluster', eds), []);
  const passthrough = `
name: PassthroughCluster
type: ORIGINAL_DST
connect_timeout: 10s
lb_policy: CLUSTER_PROVIDED
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": ${url}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    common_http_protocol_options: { idle_timeout: 300s }
    use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: { max_concurrent_streams: 1073741824 } }
`;
  assert.deepEqual(errors('envoy.config.cluster.v3.Cluster', passthrough), []);
});

test('routes with retries, faults, weights and rewrites', () => {
  const routes = `
name: "9080"
validate_clusters: false
max_direct_response_body_size_bytes: 1048576
ignore_port_in_host_matching: true
virtual_hosts:
  - name: reviews.default.svc.cluster.local:9080
    domains: [reviews.default.svc.cluster.local, reviews, 10.96.1.1]
    include_request_attempt_count: true
    routes:
      - match: { prefix: /, case_sensitive: true, headers: [{ name: end-user, string_match: { exact: jason } }] }
        route:
          cluster: outbound|9080|v2|reviews.default.svc.cluster.local
          timeout: 0s
          retry_policy:
            retry_on: connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
            num_retries: 2
            retry_host_predicate: [{ name: envoy.retry_host_predicates.previous_hosts, typed_config: { "@type": ${url}/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate } }]
            host_selection_retry_max_attempts: "5"
            retriable_status_codes: [503]
          max_grpc_timeout: 0s
        metadata: { filter_metadata: { istio: { config: /apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews } } }
        decorator: { operation: reviews:9080/* }
        typed_per_filter_config:
          envoy.filters.http.fault:
            "@type": ${url}/envoy.extensions.filters.http.fault.v3.HTTPFault
            delay: { fixed_delay: 7s, percentage: { numerator: 1000000, denominator: MILLION } }
            abort: { http_status: 500, percentage: { numerator: 10, denominator: HUNDRED } }
      - match: { path_separated_prefix: /v1 }
        route:
          weighted_clusters: { clusters: [{ name: a, weight: 90 }, { name: b, weight: 10 }], total_weight: 100 }
          regex_rewrite: { pattern: { regex: ^/v1(/?)(.*) }, substitution: /\\2 }
          hash_policy: [{ header: { header_name: x-user } }, { cookie: { name: u, ttl: 0s } }, { connection_properties: { source_ip: true } }]
      - match: { prefix: /old }
        redirect: { path_redirect: /new, response_code: PERMANENT_REDIRECT }
  - name: allow_any
    domains: ["*"]
    routes: [{ name: allow_any, match: { prefix: / }, route: { cluster: PassthroughCluster, timeout: 0s, max_grpc_timeout: 0s } }]
`;
  assert.deepEqual(errors('envoy.config.route.v3.RouteConfiguration', routes), []);
});
