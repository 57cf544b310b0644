// Every way in which an exchange can fail, once. Nothing else decides a status, a flag or whether a failure may be retried.

/** Who caused it. */
export type FaultSource = 'downstream' | 'upstream' | 'proxy' | 'config';

/**
 * Whether the router may try again: `yes` when the upstream cannot have seen the request, `idempotent` when it most likely has
 * not (a kept-alive connection closed under it) so that a request that may be repeated is, `reset` when it may have (the
 * policy's `reset` decides), `never` otherwise.
 */
export type Retriable = 'yes' | 'idempotent' | 'reset' | 'never';

/** One row of the table. Faults are compared by identity. */
export interface Fault {
  /** Permanent name; never reused or renamed. Reaches access log (`%RESPONSE_CODE_DETAILS%`), metrics, docs and `explain`. */
  readonly code: string;
  readonly source: FaultSource;
  readonly retriable: Retriable;
  /** HTTP status of the local reply; 0 where there is nobody to answer. */
  readonly status: number;
  /** gRPC status of the local reply (grpc/status.proto). */
  readonly grpcStatus: number;
  /** Envoy's response flag, `%RESPONSE_FLAGS%`. */
  readonly flag: string;
  /** Body of the local reply and the words of `explain`. */
  readonly message: string;
}

const grpc = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

type Row = readonly [
  source: FaultSource,
  retriable: Retriable,
  status: number,
  grpcStatus: number,
  flag: string,
  message: string,
];

const rows = {
  // downstream: what the client did
  downstream_closed: ['downstream', 'never', 0, grpc.cancelled, 'DC', 'the client closed the connection'],
  downstream_reset: ['downstream', 'never', 0, grpc.cancelled, 'DR', 'the client reset the stream'],
  downstream_protocol_error: ['downstream', 'never', 400, grpc.internal, 'DPE', 'the request is malformed'],
  http_version_refused: [
    'downstream',
    'never',
    426,
    grpc.unimplemented,
    'DPE',
    'this version of HTTP is not accepted here; send HTTP/1.1',
  ],
  request_headers_too_large: [
    'downstream',
    'never',
    431,
    grpc.resourceExhausted,
    'DPE',
    'the request headers exceed the limit',
  ],
  request_body_too_large: [
    'downstream',
    'never',
    413,
    grpc.resourceExhausted,
    'DPE',
    'the request body exceeds the limit',
  ],
  request_headers_timeout: [
    'downstream',
    'never',
    408,
    grpc.deadlineExceeded,
    'DPE',
    'the request headers did not arrive in time',
  ],
  request_body_timeout: ['downstream', 'never', 408, grpc.deadlineExceeded, 'DT', 'the request did not arrive in time'],
  unsupported_expectation: [
    'downstream',
    'never',
    417,
    grpc.invalidArgument,
    'DPE',
    'the expectation is not supported',
  ],
  missing_host: ['downstream', 'never', 400, grpc.invalidArgument, 'DPE', 'the request names no host'],
  upgrade_refused: ['downstream', 'never', 403, grpc.unimplemented, '-', 'the upgrade is not enabled here'],
  capture_unauthenticated: [
    'downstream',
    'never',
    407,
    grpc.unauthenticated,
    'UAEX',
    'the capture port wants the credential of its own workload',
  ],
  access_denied: ['downstream', 'never', 403, grpc.permissionDenied, 'UAEX', 'RBAC: access denied'],

  // config: what the configuration says or lacks
  no_route: ['config', 'never', 404, grpc.unimplemented, 'NR', 'no route matches the request'],
  no_cluster: ['config', 'never', 503, grpc.unavailable, 'NC', 'the route names a cluster that does not exist'],
  no_filter_chain: ['config', 'never', 0, grpc.unavailable, 'NR', 'no filter chain matches the connection'],
  direct_response: ['config', 'never', 200, grpc.unknown, '-', 'the route answers by itself'],
  fault_abort: ['config', 'never', 503, grpc.unavailable, 'FI', 'fault filter abort'],

  // upstream: what the endpoint did
  connect_failed: ['upstream', 'yes', 503, grpc.unavailable, 'UF', 'the connection to the endpoint failed'],
  connect_timeout: ['upstream', 'yes', 503, grpc.unavailable, 'UF', 'connecting to the endpoint took too long'],
  tls_failed: ['upstream', 'yes', 503, grpc.unavailable, 'UF', 'the TLS handshake with the endpoint failed'],
  connection_closed_unused: [
    'upstream',
    'yes',
    503,
    grpc.unavailable,
    'UC',
    'the endpoint closed the pooled connection before it took the request',
  ],
  reused_connection_closed: [
    'upstream',
    'idempotent',
    503,
    grpc.unavailable,
    'UC',
    'the endpoint closed a kept-alive connection instead of answering',
  ],
  upstream_closed: [
    'upstream',
    'reset',
    503,
    grpc.unavailable,
    'UC',
    'the endpoint closed the connection before its response was complete',
  ],
  upstream_reset: ['upstream', 'reset', 503, grpc.unavailable, 'UR', 'the endpoint reset the stream'],
  upstream_refused: ['upstream', 'yes', 503, grpc.unavailable, 'UR', 'the endpoint refused the stream'],
  upstream_protocol_error: [
    'upstream',
    'reset',
    502,
    grpc.internal,
    'UPE',
    'the response of the endpoint is malformed',
  ],
  response_headers_too_large: ['upstream', 'never', 502, grpc.internal, 'UPE', 'the response headers exceed the limit'],
  request_timeout: ['upstream', 'never', 504, grpc.deadlineExceeded, 'UT', 'upstream request timeout'],
  per_try_timeout: ['upstream', 'reset', 504, grpc.deadlineExceeded, 'UT', 'upstream request timeout'],
  max_upstream_duration: [
    'upstream',
    'reset',
    504,
    grpc.deadlineExceeded,
    'UMSDR',
    'upstream max stream duration reached',
  ],
  upgrade_failed: ['upstream', 'never', 502, grpc.unavailable, 'UPE', 'the endpoint did not accept the upgrade'],

  // proxy: limits and state of our own
  no_healthy_host: ['proxy', 'never', 503, grpc.unavailable, 'UH', 'no healthy upstream'],
  drop_overload: ['proxy', 'never', 503, grpc.unavailable, 'DO', 'drop overload'],
  unconditional_drop_overload: ['proxy', 'never', 503, grpc.unavailable, 'UDO', 'unconditional drop overload'],
  breaker_open: [
    'proxy',
    'never',
    503,
    grpc.unavailable,
    'UO',
    'upstream overflow: a circuit breaker limit is reached',
  ],
  retries_exhausted: ['proxy', 'never', 503, grpc.unavailable, 'URX', 'the retries are used up'],
  stream_idle: ['proxy', 'never', 504, grpc.deadlineExceeded, 'SI', 'the stream was idle for too long'],
  max_duration: ['proxy', 'never', 504, grpc.deadlineExceeded, 'DT', 'the stream lasted longer than allowed'],
  overload: ['proxy', 'never', 503, grpc.unavailable, 'OM', 'the proxy is at a limit of its own'],
  draining: ['proxy', 'never', 503, grpc.unavailable, 'LR', 'the proxy is shutting down'],
  tunnel_refused: ['proxy', 'never', 503, grpc.unavailable, 'NR', 'no listener takes the tunnel'],
} as const satisfies Record<string, Row>;

export type FaultCode = keyof typeof rows;

function makeTable(): Readonly<Record<FaultCode, Fault>> {
  const table: Record<string, Fault> = {};
  for (const [code, row] of Object.entries(rows)) {
    const [source, retriable, status, grpcStatus, flag, message] = row;
    table[code] = Object.freeze({ code, source, retriable, status, grpcStatus, flag, message });
  }
  return Object.freeze(table) as Readonly<Record<FaultCode, Fault>>;
}

/** `fault.no_route`, `fault.connect_failed` ... */
export const fault: Readonly<Record<FaultCode, Fault>> = makeTable();
