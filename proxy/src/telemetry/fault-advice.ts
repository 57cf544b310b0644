// What a person can do about each fault: the last sentence of `weft explain` and a column of docs/errors.md.

import type { FaultCode } from '../fault/fault.ts';

/** One sentence per fault code; a test checks that none is missing. */
export const faultAdvice: Readonly<Partial<Record<FaultCode, string>>> = {
  downstream_closed: 'Look at the client: it gave up before the answer was complete, often by a time-out of its own.',
  downstream_reset: 'Look at the client: it cancelled the request.',
  downstream_protocol_error: 'Look at the client: it sent something that is not valid HTTP; the details name what.',
  http_version_refused:
    'Send HTTP/1.1 or HTTP/2; HTTP/1.0 is taken where http_protocol_options.accept_http_10 of the connection manager is set.',
  request_headers_too_large:
    'Send fewer or smaller headers (cookies are the usual cause), or raise max_request_headers_kb.',
  request_body_too_large: 'Send a smaller body, or raise the limit of the filter that has to hold it.',
  request_headers_timeout:
    'Look at the client or its network: the request head did not arrive within request_headers_timeout.',
  request_body_timeout: 'Look at the client or its network: the request did not arrive within request_timeout.',
  unsupported_expectation: 'Send no Expect header other than 100-continue.',
  missing_host: 'Send a Host header that names the service.',
  upgrade_refused: 'Allow the upgrade in upgrade_configs of the connection manager or the route.',
  capture_unauthenticated:
    'Use the proxy URL that the mesh put into HTTP_PROXY of this very process, credential included.',
  access_denied: 'Check the AuthorizationPolicy that the details name, or add one that allows this caller.',
  no_route:
    'Check the host and path against the routes (`weft proxy-config WORKLOAD routes`), or add a route for them.',
  no_cluster: 'Check the destination of the route: host, subset and port must exist (`weft analyze` finds this).',
  no_filter_chain:
    'Check the port, the server name and TLS mode of the caller: no filter chain of the listener takes them.',
  direct_response: 'Nothing: the route is meant to answer by itself.',
  fault_abort: 'Nothing, if the fault is meant; else remove it from the VirtualService.',
  connect_failed: 'Check that the process behind the address runs and listens there.',
  connect_timeout:
    'Check the network between the two and whether the endpoint is overloaded, or raise connect_timeout.',
  tls_failed: 'Check the certificates and the TLS mode on both sides; the details hold what the handshake said.',
  connection_closed_unused:
    'Usually nothing: another connection is tried; if it recurs, the idle time of the endpoint is shorter than ours.',
  reused_connection_closed:
    'Make the idle time of the endpoint longer than that of the mesh, or allow retries of this request.',
  upstream_closed:
    'Look at the endpoint: it closed the connection in the middle of the response, often because it crashed, or because one side speaks TLS and the other does not.',
  upstream_reset: 'Look at the endpoint: it cancelled the stream.',
  upstream_refused: 'Look at the load of the endpoint: it takes no more streams at present.',
  upstream_protocol_error: 'Look at the endpoint: what it sent is not valid HTTP; the details name what.',
  response_headers_too_large: 'Make the endpoint send fewer or smaller headers, or raise max_response_headers_kb.',
  request_timeout: 'Find out why the endpoint is slow, or raise the timeout of the route.',
  per_try_timeout: 'Find out why the endpoint is slow, or raise per_try_timeout of the retry policy.',
  max_upstream_duration:
    'Find out why the endpoint is slow, or raise max_stream_duration of the cluster if an attempt may last this long.',
  upgrade_failed: 'Check that the endpoint supports the upgrade that the client asked for.',
  no_healthy_host: 'Check that the service has running, ready endpoints (`weft proxy-config WORKLOAD endpoints`).',
  drop_overload:
    'Nothing: the control plane asks by `drop_overloads` of the endpoints that a share of the requests be dropped.',
  unconditional_drop_overload:
    'Nothing: the control plane asks by `drop_overloads` of the endpoints that all requests be dropped.',
  breaker_open: 'Lower the load, add endpoints, or raise the limits in the connection pool of the DestinationRule.',
  retries_exhausted: 'Look at the endpoints: every try failed; the access log of each shows why.',
  stream_idle: 'Find out which side stopped sending, or raise stream_idle_timeout.',
  max_duration: 'Raise max_stream_duration if exchanges may last this long.',
  overload: 'Lower the load on this proxy or raise the limit that the details name.',
  draining: 'Try again: the proxy is shutting down and another takes over.',
  tunnel_refused: 'Check the host and port of the CONNECT request: nothing here takes a tunnel to them.',
};
