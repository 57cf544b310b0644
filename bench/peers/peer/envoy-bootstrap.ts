// The bootstrap that Envoy and Weft are both given: the same file, so that the same work is asked of both.

import { acceptsTls, connectsTls, routePrefix, speaksHttp2, type Task } from '../bench-case.ts';
import { serverName } from '../certificate.ts';

const typeOf = (name: string) => ({ '@type': `type.googleapis.com/${name}` });
const tlsType = (name: string) => typeOf(`envoy.extensions.transport_sockets.tls.v3.${name}`);

function addressOf(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function leafOf(task: Task): object {
  return { certificate_chain: { filename: task.certificate }, private_key: { filename: task.key } };
}

function commonTls(task: Task, verifiesPeer: boolean): object {
  return {
    // Upstream, Envoy stops at TLS 1.2 unless it is told; both sides of every peer use 1.3.
    tls_params: { tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [leafOf(task)],
    ...(verifiesPeer ? { validation_context: { trusted_ca: { filename: task.authority } } } : {}),
  };
}

function downstreamTls(task: Task): object {
  const isMutual = task.role === 'server';
  const context = {
    ...tlsType('DownstreamTlsContext'),
    common_tls_context: commonTls(task, isMutual),
    require_client_certificate: isMutual,
  };
  return { name: 'envoy.transport_sockets.tls', typed_config: context };
}

function upstreamTls(task: Task): object {
  const context = { ...tlsType('UpstreamTlsContext'), common_tls_context: commonTls(task, true), sni: serverName };
  return { name: 'envoy.transport_sockets.tls', typed_config: context };
}

function connectionManager(): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...typeOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'bench',
      codec_type: 'AUTO',
      route_config: {
        name: 'bench',
        virtual_hosts: [
          { name: 'all', domains: ['*'], routes: [{ match: { prefix: routePrefix }, route: { cluster: 'backend' } }] },
        ],
      },
      http_filters: [
        { name: 'envoy.filters.http.router', typed_config: typeOf('envoy.extensions.filters.http.router.v3.Router') },
      ],
    },
  };
}

function tcpProxy(): object {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      ...typeOf('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'),
      stat_prefix: 'bench',
      cluster: 'backend',
    },
  };
}

function clusterOf(task: Task): object {
  const http2Options = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      ...typeOf('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  return {
    name: 'backend',
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: 'backend',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(task.upstreamPort) } }] }],
    },
    ...(speaksHttp2(task.name) ? { typed_extension_protocol_options: http2Options } : {}),
    ...(connectsTls(task) ? { transport_socket: upstreamTls(task) } : {}),
  };
}

/** The bootstrap for a task, as JSON text. */
export function envoyBootstrap(task: Task): string {
  const chain = {
    ...(acceptsTls(task) ? { transport_socket: downstreamTls(task) } : {}),
    filters: [task.name === 'tcp' ? tcpProxy() : connectionManager()],
  };
  const listener = { name: 'bench', address: addressOf(task.listenPort), filter_chains: [chain] };
  return JSON.stringify({ static_resources: { listeners: [listener], clusters: [clusterOf(task)] } }, null, 2);
}
