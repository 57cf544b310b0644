// Which types may stand in each Any field.
import { monitorType } from '../connection-maxima.ts';
import type { ExtensionTable } from './support-table.ts';

const listener = 'envoy.config.listener.v3';
const filters = 'envoy.extensions.filters';
const sockets = 'envoy.extensions.transport_sockets';
const balancing = 'envoy.extensions.load_balancing_policies';
const route = 'envoy.config.route.v3';
const manager = `${filters}.network.http_connection_manager.v3`;

const override = {
  role: 'override of an HTTP filter',
  carried: [
    `${filters}.http.fault.v3.HTTPFault`,
    `${filters}.http.rbac.v3.RBACPerRoute`,
    `${filters}.http.cors.v3.CorsPolicy`,
  ],
  ignored: ['istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig'],
};
const perRoute = { ...override, carried: [...override.carried, `${route}.FilterConfig`] };

/** `Message.field` -> the extensions that may stand there. Map fields count as their values. */
export const extensionSupport: ExtensionTable = {
  [`${listener}.ListenerFilter.typed_config`]: {
    role: 'listener filter',
    carried: [
      `${filters}.listener.original_dst.v3.OriginalDst`,
      `${filters}.listener.tls_inspector.v3.TlsInspector`,
      `${filters}.listener.http_inspector.v3.HttpInspector`,
      `${filters}.listener.proxy_protocol.v3.ProxyProtocol`,
    ],
  },
  [`${listener}.Filter.typed_config`]: {
    role: 'network filter',
    carried: [
      `${manager}.HttpConnectionManager`,
      `${filters}.network.tcp_proxy.v3.TcpProxy`,
      `${filters}.network.rbac.v3.RBAC`,
    ],
    ignored: ['envoy.tcp.metadataexchange.config.MetadataExchange', 'stats.PluginConfig'],
  },
  [`${listener}.ApiListener.api_listener`]: { role: 'API listener', carried: [`${manager}.HttpConnectionManager`] },
  [`${manager}.HttpFilter.typed_config`]: {
    role: 'HTTP filter',
    carried: [
      `${filters}.http.router.v3.Router`,
      `${filters}.http.fault.v3.HTTPFault`,
      `${filters}.http.rbac.v3.RBAC`,
      `${filters}.http.cors.v3.Cors`,
      `${filters}.http.grpc_web.v3.GrpcWeb`,
      `${filters}.http.grpc_stats.v3.FilterConfig`,
      'weft.extensions.filters.http.capture_auth.v1.CaptureAuth',
    ],
    // Statistics and facts about the peer: an Istio control plane puts them into every chain.
    ignored: [
      'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig',
      'io.istio.http.peer_metadata.Config',
      'stats.PluginConfig',
    ],
  },
  [`${manager}.RequestIDExtension.typed_config`]: {
    role: 'request id extension',
    carried: ['envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig'],
  },
  'envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.stateful_formatter': {
    role: 'header formatter',
    carried: ['envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig'],
  },
  [`${route}.FilterConfig.config`]: override,
  [`${route}.RouteConfiguration.typed_per_filter_config`]: perRoute,
  [`${route}.VirtualHost.typed_per_filter_config`]: perRoute,
  [`${route}.Route.typed_per_filter_config`]: perRoute,
  [`${route}.WeightedCluster.ClusterWeight.typed_per_filter_config`]: perRoute,
  [`${route}.RetryPolicy.RetryHostPredicate.typed_config`]: {
    role: 'retry host predicate',
    carried: ['envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'],
  },
  'envoy.config.core.v3.TransportSocket.typed_config': {
    role: 'transport socket',
    carried: [
      `${sockets}.tls.v3.UpstreamTlsContext`,
      `${sockets}.tls.v3.DownstreamTlsContext`,
      `${sockets}.raw_buffer.v3.RawBuffer`,
      `${sockets}.internal_upstream.v3.InternalUpstreamTransport`,
      `${sockets}.proxy_protocol.v3.ProxyProtocolUpstreamTransport`,
    ],
  },
  'envoy.config.cluster.v3.Cluster.typed_extension_protocol_options': {
    role: 'protocol options',
    carried: ['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'],
  },
  'envoy.config.cluster.v3.Filter.typed_config': {
    role: 'upstream network filter',
    carried: [],
    ignored: ['envoy.tcp.metadataexchange.config.MetadataExchange', 'stats.PluginConfig'],
  },
  'envoy.config.cluster.v3.LoadBalancingPolicy.Policy.typed_extension_config': {
    role: 'load balancing policy',
    carried: ['round_robin.v3.RoundRobin', 'least_request.v3.LeastRequest', 'random.v3.Random', 'ring_hash.v3.RingHash']
      .concat(['maglev.v3.Maglev', 'wrr_locality.v3.WrrLocality', 'cluster_provided.v3.ClusterProvided'])
      .map((name) => `${balancing}.${name}`),
  },
  'envoy.config.accesslog.v3.AccessLog.typed_config': {
    role: 'access log',
    carried: [
      'envoy.extensions.access_loggers.file.v3.FileAccessLog',
      'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
      'envoy.extensions.access_loggers.stream.v3.StderrAccessLog',
    ],
  },
  'envoy.config.core.v3.SubstitutionFormatString.formatters': {
    role: 'formatter',
    carried: [
      'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery',
      'envoy.extensions.formatter.metadata.v3.Metadata',
    ],
  },
  'envoy.config.bootstrap.v3.Bootstrap.bootstrap_extensions': {
    role: 'bootstrap extension',
    carried: [
      'weft.extensions.identity.v1.WorkloadIdentity',
      'envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
    ],
  },
  'envoy.config.overload.v3.ResourceMonitor.typed_config': { role: 'resource monitor', carried: [monitorType] },
  'envoy.service.discovery.v3.DiscoveryResponse.resources': {
    role: 'secret in a file',
    carried: ['envoy.extensions.transport_sockets.tls.v3.Secret'],
  },
  'envoy.config.bootstrap.v3.Bootstrap.default_regex_engine': {
    role: 'regular expression engine',
    carried: ['envoy.extensions.regex_engines.v3.GoogleRE2'],
  },
};
