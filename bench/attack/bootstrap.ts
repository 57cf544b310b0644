// The proxy under attack: every limit at its default. /attacked goes to the endpoint that attacks, /apart to one that only the
// clients who have nothing to do with the attack ask, everything else to the one that attacking clients ask too.

interface Ports {
  readonly listen: number;
  readonly backend: number;
  readonly apart: number;
  readonly hostile: number;
}

const typeOf = (name: string) => ({ '@type': `type.googleapis.com/${name}` });

function clusterOf(name: string, port: number, isHttp2: boolean): object {
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    ...(isHttp2
      ? {
          typed_extension_protocol_options: {
            [options]: { ...typeOf(options), explicit_http_config: { http2_protocol_options: {} } },
          },
        }
      : {}),
  };
}

/** As JSON text. */
export function bootstrapOf(ports: Ports, isHttp2: boolean): string {
  const routes = [
    { match: { prefix: '/attacked' }, route: { cluster: 'hostile' } },
    { match: { prefix: '/apart' }, route: { cluster: 'apart' } },
    { match: { prefix: '/' }, route: { cluster: 'backend' } },
  ];
  const manager = {
    ...typeOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bench',
    route_config: { name: 'local', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: typeOf('envoy.extensions.filters.http.router.v3.Router') },
    ],
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const address = { socket_address: { address: '127.0.0.1', port_value: ports.listen } };
  return JSON.stringify({
    node: { id: 'bench', cluster: 'bench' },
    static_resources: {
      listeners: [{ name: 'main', address, filter_chains: [{ filters }] }],
      clusters: [
        clusterOf('backend', ports.backend, false),
        clusterOf('apart', ports.apart, false),
        clusterOf('hostile', ports.hostile, isHttp2),
      ],
    },
  });
}
