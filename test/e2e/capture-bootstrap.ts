// The proxy of a captured workload: the listeners that the control plane gives to a sidecar, with marks that tests can see.

type Json = Readonly<Record<string, unknown>>;

export interface CaptureScene {
  readonly logPath: string;
  /** Address of a service that no machine has. */
  readonly service: string;
  /** Where its endpoint on port 80 is, and the one on port 81: the workload itself. */
  readonly endpoint: string;
  readonly ownEndpoint: string;
  /** Whether inbound connections come by TPROXY. */
  readonly isTransparent: boolean;
  /** Whether the capture ports themselves have chains that refuse: Envoy would call itself without end. */
  readonly hasBlackHoles: boolean;
}

/** In a namespace of its own every port is free. */
export const adminPort = 15_000;

const filters = 'type.googleapis.com/envoy.extensions.filters';

export function captureBootstrap(scene: CaptureScene): Json {
  const admin = { address: socket('127.0.0.1', adminPort) };
  return { admin, static_resources: { listeners: listeners(scene), clusters: clusters(scene) } };
}

function listeners({ logPath, service, isTransparent, hasBlackHoles }: CaptureScene): Json[] {
  const unbound = { bind_to_port: false, traffic_direction: 'OUTBOUND' };
  const blackHole = (destination_port: number): Json[] =>
    hasBlackHoles
      ? [{ filter_chain_match: { destination_port }, filters: [tcp('refused', 'BlackHoleCluster', logPath)] }]
      : [];
  const inboundHttp = http('inbound', 'inbound|9090||', logPath);
  return [
    {
      name: 'virtualOutbound',
      address: both(15_001),
      use_original_dst: true,
      filter_chains: [...blackHole(15_001), { filters: [tcp('outbound', 'PassthroughCluster', logPath)] }],
    },
    {
      name: `${service}_80`,
      address: socket(service, 80),
      ...unbound,
      filter_chains: [{ filters: [http('service', 'service', logPath)] }],
    },
    {
      name: `${service}_81`,
      address: socket(service, 81),
      ...unbound,
      filter_chains: [{ filters: [http('itself', 'itself', logPath)] }],
    },
    {
      name: '0.0.0.0_8081',
      address: socket('0.0.0.0', 8081),
      ...unbound,
      filter_chains: [{ filters: [http('wildcard', 'PassthroughCluster', logPath)] }],
    },
    {
      name: 'virtualInbound',
      address: both(15_006),
      use_original_dst: true,
      ...(isTransparent ? { transparent: true } : {}),
      filter_chains: [
        ...blackHole(15_006),
        { filter_chain_match: { destination_port: 9090 }, filters: [inboundHttp] },
        { filters: [tcp('passthrough', 'InboundPassthroughCluster', logPath)] },
      ],
    },
  ];
}

function clusters({ endpoint, ownEndpoint }: CaptureScene): Json[] {
  const passthrough = { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', connect_timeout: '2s' };
  const toItself = {
    ...passthrough,
    upstream_bind_config: {
      source_address: { address: '127.0.0.6', port_value: 0 },
      extra_source_addresses: [{ address: { address: '::6', port_value: 0 } }],
    },
  };
  return [
    { name: 'PassthroughCluster', ...passthrough },
    { name: 'BlackHoleCluster', type: 'STATIC', connect_timeout: '2s' },
    { name: 'inbound|9090||', ...toItself },
    { name: 'InboundPassthroughCluster', ...toItself },
    fixed('service', endpoint, 8080),
    fixed('itself', ownEndpoint, 9090),
  ];
}

function fixed(name: string, address: string, port: number): Json {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: socket(address, port) } }] }];
  return { name, type: 'STATIC', connect_timeout: '2s', load_assignment: { cluster_name: name, endpoints } };
}

function socket(address: string, port: number): Json {
  return { socket_address: { address, port_value: port } };
}

function both(port: number): Json {
  return { socket_address: { address: '::', port_value: port, ipv4_compat: true } };
}

/** Marks answers with its name. */
function http(via: string, cluster: string, logPath: string): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${filters}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: via,
      route_config: {
        virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster } }] }],
        response_headers_to_add: [{ header: { key: 'x-via', value: via }, append_action: 'APPEND_IF_EXISTS_OR_ADD' }],
      },
      http_filters: [{ name: 'router', typed_config: { '@type': `${filters}.http.router.v3.Router` } }],
      access_log: log(via, logPath),
    },
  };
}

function tcp(name: string, cluster: string, logPath: string): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${filters}.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: name,
      cluster,
      access_log: log(name, logPath),
    },
  };
}

/** Who took it, where it was going, at which of our own sockets it arrived. */
function log(name: string, path: string): Json[] {
  const inline_string = `${name} %DOWNSTREAM_LOCAL_ADDRESS% %UPSTREAM_HOST% %DOWNSTREAM_DIRECT_LOCAL_ADDRESS%\n`;
  const typed_config = {
    '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
    path,
    log_format: { text_format_source: { inline_string } },
  };
  return [{ name: 'envoy.access_loggers.file', typed_config }];
}
