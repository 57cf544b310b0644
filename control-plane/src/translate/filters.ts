// The filters that listeners are made of: listener, network and HTTP filters with their configuration.

import type { envoy, google } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import { isGrpc, type Protocol } from '../model/protocol.ts';
import { adsSource, durationOf, noTimeout } from './message.ts';
import { corsFilterName } from './route/cors-policy.ts';
import { faultFilterName } from './route/fault-injection.ts';
import type { TcpSettings, TcpTarget } from './route/tcp-target.ts';

export type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
export type NetworkFilter = envoy.config.listener.v3.Filter;
export type ListenerFilter = envoy.config.listener.v3.ListenerFilter;
export type AccessLog = envoy.config.accesslog.v3.AccessLog;
type HttpConnectionManager = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
type RouteConfiguration = envoy.config.route.v3.RouteConfiguration;

const empty = (name: string, typedConfig: google.protobuf.Any) => ({ name, typedConfig });

export const tlsInspector: ListenerFilter = empty(
  'envoy.filters.listener.tls_inspector',
  packAny('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', {}),
);

export const httpInspector: ListenerFilter = empty(
  'envoy.filters.listener.http_inspector',
  packAny('envoy.extensions.filters.listener.http_inspector.v3.HttpInspector', {}),
);

export const originalDestination: ListenerFilter = empty(
  'envoy.filters.listener.original_dst',
  packAny('envoy.extensions.filters.listener.original_dst.v3.OriginalDst', {}),
);

/** What `http_inspector` calls plain HTTP. */
export const plainHttp: readonly string[] = ['http/1.0', 'http/1.1', 'h2c'];

export const routerFilter: HttpFilter = empty(
  'envoy.filters.http.router',
  packAny('envoy.extensions.filters.http.router.v3.Router', {}),
);

/** Does nothing by itself; routes carry the faults. */
export const faultFilter: HttpFilter = empty(
  faultFilterName,
  packAny('envoy.extensions.filters.http.fault.v3.HTTPFault', {}),
);

/** Does nothing by itself; routes carry the policies. */
export const corsFilter: HttpFilter = empty(corsFilterName, packAny('envoy.extensions.filters.http.cors.v3.Cors', {}));

const grpcWebFilter: HttpFilter = empty(
  'envoy.filters.http.grpc_web',
  packAny('envoy.extensions.filters.http.grpc_web.v3.GrpcWeb', {}),
);

const grpcStatsType = 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig';

function grpcStatsFilter(statsForAllMethods: boolean): HttpFilter {
  return empty('envoy.filters.http.grpc_stats', packAny(grpcStatsType, { statsForAllMethods }));
}

/** Calls of browsers become gRPC, where every port says that it wants that: others may know gRPC-Web themselves. */
export function grpcWebFilters(protocols: readonly Protocol[]): readonly HttpFilter[] {
  return protocols.length > 0 && protocols.every((protocol) => protocol === 'grpc-web') ? [grpcWebFilter] : [];
}

/** Counts gRPC calls, where some port has such. Methods are told apart only by a proxy that bounds their number. */
export function grpcStatsFilters(protocols: readonly Protocol[], tellsMethodsApart: boolean): readonly HttpFilter[] {
  return protocols.some(isGrpc) ? [grpcStatsFilter(tellsMethodsApart)] : [];
}

/** What routes to services may ask for. Preflights are answered before a fault is injected, and faults are shown to browsers. */
export const routeFilters: readonly HttpFilter[] = [corsFilter, faultFilter];

/** Asks for the workload's own credential. */
export function captureAuthFilter(credentialSha256: string): HttpFilter {
  const config = packAny('weft.extensions.filters.http.capture_auth.v1.CaptureAuth', { credentialSha256 });
  return { name: 'weft.filters.http.capture_auth', typedConfig: config };
}

/** One line per exchange on standard output: Envoy's usual one, why, which cluster, the id for `weft explain`, and which resource. */
const httpLog = stdoutLog(
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
    '%RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %RESP(X-WEFT-DECISION)% ' +
    '%METADATA(ROUTE:weft.dev:origin)%\n',
);

const tcpLog = stdoutLog(
  '[%START_TIME%] "%PROTOCOL%" %RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
    '"%DOWNSTREAM_REMOTE_ADDRESS%" "%REQUESTED_SERVER_NAME%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% ' +
    '%METADATA(CLUSTER:weft.dev:origin)%\n',
);

function stdoutLog(inlineString: string): readonly AccessLog[] {
  const logFormat = { textFormatSource: { inlineString } };
  const typedConfig = packAny('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', { logFormat });
  return [{ name: 'envoy.access_loggers.stdout', typedConfig }];
}

/** Inside the mesh streams may rest as long as they like; whoever comes from outside may not hold one for ever (decision 0011). */
const edgeIdleTimeout = { seconds: 3600 };

export interface ConnectionManagerOptions {
  readonly statPrefix: string;
  /** A route table fetched by name, or written out. */
  readonly routes: string | RouteConfiguration;
  readonly httpFilters: readonly HttpFilter[];
  readonly upgrades?: readonly string[];
  /** The edge of the mesh: the peer's address counts, and what it says about itself does not. */
  readonly isEdge?: boolean;
  /** What is told to the next hop about the caller's certificate. */
  readonly clientCertificate?: 'SANITIZE' | 'SANITIZE_SET' | 'APPEND_FORWARD';
}

/** The HTTP connection manager. */
export function connectionManager(options: ConnectionManagerOptions): NetworkFilter {
  const { clientCertificate = 'SANITIZE' } = options;
  const message: HttpConnectionManager = {
    statPrefix: options.statPrefix,
    ...(typeof options.routes === 'string'
      ? { rds: { configSource: adsSource, routeConfigName: options.routes } }
      : { routeConfig: options.routes }),
    httpFilters: options.httpFilters,
    upgradeConfigs: (options.upgrades ?? ['websocket']).map((upgradeType) => ({ upgradeType })),
    useRemoteAddress: options.isEdge === true,
    normalizePath: true,
    streamIdleTimeout: options.isEdge === true ? edgeIdleTimeout : noTimeout,
    serverHeaderTransformation: 'PASS_THROUGH',
    accessLog: httpLog,
    ...(clientCertificate === 'SANITIZE'
      ? {}
      : {
          forwardClientCertDetails: clientCertificate,
          setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
        }),
  };
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typedConfig: packAny('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', message),
  };
}

/** The TCP proxy. */
export function tcpProxy(
  statPrefix: string,
  clusters: TcpTarget['clusters'],
  settings: TcpSettings = {},
): NetworkFilter {
  const [only] = clusters;
  const idle = durationOf(settings.idleTimeout);
  const choice =
    clusters.length === 1 && only !== undefined
      ? { cluster: only.name }
      : { weightedClusters: { clusters: clusters.map(({ name, weight }) => ({ name, weight })) } };
  const typedConfig = packAny('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
    statPrefix,
    ...choice,
    ...(idle === undefined ? {} : { idleTimeout: idle }),
    ...(settings.hashesSource === true ? { hashPolicy: [{ sourceIp: {} }] } : {}),
    accessLog: tcpLog,
  });
  return { name: 'envoy.filters.network.tcp_proxy', typedConfig };
}
