// The one bootstrap that both proxies read. There are several lanes, each with listeners, clusters and upstreams of its own, so that
// several cases run at once and what reaches an upstream belongs to one of them.

import { type HttpVersion, httpVersions, type ListenerKind, listenerKinds } from './case.ts';

type Json = Readonly<Record<string, unknown>>;

/** Ports of a lane's two upstreams. */
export type UpstreamPorts = Readonly<Record<HttpVersion, number>>;

const extensions = 'type.googleapis.com/envoy.extensions';
const protocolOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** The address is that of the case. */
const logFormat =
  '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n';

export function listenerName(kind: ListenerKind, upstream: HttpVersion, lane: number): string {
  return `${kind}-${upstream}-${lane}`;
}

function loopback(port: number): Json {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

/** Relative paths: each proxy runs in a folder of its own. */
export function bootstrap(adminPort: number, lanes: readonly UpstreamPorts[]): Json {
  const each = lanes.flatMap((ports, lane) => httpVersions.map((version) => ({ version, lane, port: ports[version] })));
  return {
    node: { id: 'differential', cluster: 'differential' },
    admin: { address: loopback(adminPort) },
    static_resources: {
      listeners: each.flatMap(({ version, lane }) => listenerKinds.map((kind) => listener(kind, version, lane))),
      clusters: each.map(({ version, lane, port }) => cluster(version, lane, port)),
    },
  };
}

function cluster(version: HttpVersion, lane: number, port: number): Json {
  const name = `${version}-${lane}`;
  const explicit =
    version === 'http2' ? { http2_protocol_options: {} } : { http_protocol_options: { enable_trailers: true } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '2s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(port) } }] }] },
    typed_extension_protocol_options: {
      [protocolOptions]: { '@type': `type.googleapis.com/${protocolOptions}`, explicit_http_config: explicit },
    },
  };
}

function listener(kind: ListenerKind, version: HttpVersion, lane: number): Json {
  const manager = {
    '@type': `${extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: kind,
    server_name: 'differential',
    // Envoy waits that long for the client to close first.
    delayed_close_timeout: '0.05s',
    route_config: {
      name: 'routes',
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: routes(kind, version, lane) }],
    },
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${extensions}.filters.http.router.v3.Router` } },
    ],
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: {
          '@type': `${extensions}.access_loggers.file.v3.FileAccessLog`,
          path: 'access.log',
          log_format: { text_format_source: { inline_string: logFormat } },
        },
      },
    ],
    ...managerParts(kind),
  };
  return {
    name: listenerName(kind, version, lane),
    address: loopback(0),
    filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
  };
}

function routes(kind: ListenerKind, version: HttpVersion, lane: number): Json[] {
  const route = { cluster: `${version}-${lane}` };
  const plain = { match: { prefix: '/' }, route };
  return kind === 'tunnel' ? [{ match: { connect_matcher: {} }, route }, plain] : [plain];
}

/** `plain` is a sidecar's default, `edge` what Envoy recommends at the edge, `tunnel` lets upgrades and CONNECT through. */
function managerParts(kind: ListenerKind): Json {
  const trailers = { enable_trailers: true };
  if (kind === 'plain') return { http_protocol_options: trailers };
  if (kind === 'edge') {
    return {
      http_protocol_options: { ...trailers, accept_http_10: true },
      use_remote_address: true,
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: 'REJECT_REQUEST',
      strip_any_host_port: true,
    };
  }
  return {
    http_protocol_options: trailers,
    http2_protocol_options: { allow_connect: true },
    upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'CONNECT' }],
  };
}
