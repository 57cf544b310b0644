// The bootstrap for Envoy and Weft alike: one listener whose routes come over ADS, and two clusters to route between.

const typeOf = (name: string) => ({ '@type': `type.googleapis.com/${name}` });

function addressOf(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function clusterOf(name: string, port: number, isHttp2: boolean): object {
  const options = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      ...typeOf('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(port) } }] }],
    },
    ...(isHttp2 ? { typed_extension_protocol_options: options } : {}),
  };
}

function connectionManager(): object {
  return {
    ...typeOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bench',
    rds: { route_config_name: 'bench', config_source: { ads: {}, resource_api_version: 'V3' } },
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: typeOf('envoy.extensions.filters.http.router.v3.Router') },
    ],
  };
}

/** As JSON text. */
export function bootstrapOf(listenPort: number, adsPort: number, backendPort: number): string {
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager() };
  return JSON.stringify({
    node: { id: 'bench', cluster: 'bench' },
    dynamic_resources: {
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'ads' } }],
      },
    },
    static_resources: {
      listeners: [{ name: 'bench', address: addressOf(listenPort), filter_chains: [{ filters: [filter] }] }],
      clusters: [
        clusterOf('ads', adsPort, true),
        clusterOf('blue', backendPort, false),
        clusterOf('green', backendPort, false),
      ],
    },
  });
}
