// Format operators, as in `%REQ(X-ID)%`: their names, and what may stand in their brackets. The control plane accepts by these rules what
// the proxy carries out.

/** What is wrong with that in the brackets, empty without any; null when nothing is. */
type ArgumentRule = (argument: string) => string | null;

const none: ArgumentRule = (argument) => (argument === '' ? null : 'it takes no argument; remove the brackets');
const variable: ArgumentRule = (argument) => (argument === '' ? 'it wants the name of an environment variable' : null);
const key: ArgumentRule = (argument) => (argument === '' ? 'it wants a key in brackets' : null);

// `X?Y`: the first header, or where it is absent the second.
const headerName: ArgumentRule = (argument) => {
  const names = argument.split('?');
  const isGood = names.length <= 2 && !names.includes('');
  return isGood ? null : 'it wants a header name, or two as in (X-FIRST?X-OTHERWISE)';
};

const grpcStyles: readonly string[] = ['CAMEL_STRING', 'SNAKE_STRING', 'NUMBER'];
const grpcStyle: ArgumentRule = (argument) =>
  argument === '' || grpcStyles.includes(argument) ? null : `it wants one of ${grpcStyles.join(', ')}`;

const keys: ArgumentRule = (argument) =>
  argument.split(':').includes('') ? 'it wants a namespace and keys, as in (com.example:key)' : null;

/** Whose metadata `%METADATA%` can give. */
export const metadataSources: readonly string[] = ['ROUTE', 'CLUSTER', 'UPSTREAM_HOST', 'DYNAMIC'];
const sourceAndKeys: ArgumentRule = (argument) => {
  const [source = '', ...rest] = argument.split(':');
  if (!metadataSources.includes(source)) return `it wants one of ${metadataSources.join(', ')} before the first colon`;
  return rest.length > 0 && !rest.includes('') ? null : 'it wants a namespace and keys, as in (ROUTE:com.example:key)';
};

/** The letters of strftime that there are; besides them `%f`, `%1f` to `%9f`, and `%E1S` to `%E9S`, `%E*S`. */
export const timeLetters = 'YyCmdejHIMSpaAbhBuwFTRDZzsnt%';
const timePiece = new RegExp(`[^%]+|%(?:[1-9]?f|E[1-9*]S|[${timeLetters}])|%[\\s\\S]?`, 'g');
const timeField = new RegExp(`^(?:[^%]+|%(?:[1-9]?f|E[1-9*]S|[${timeLetters}]))$`);
const timeFormat: ArgumentRule = (argument) => {
  const unknown = argument.match(timePiece)?.find((piece) => !timeField.test(piece));
  if (unknown === undefined) return null;
  return `the time format knows no '${unknown}'; it takes strftime's letters and %1f to %9f`;
};

/** `proxy/src/telemetry/operator/` has a function for each. */
const argumentRules: Readonly<Record<string, ArgumentRule>> = {
  ACCESS_LOG_TYPE: none,
  BYTES_RECEIVED: none,
  BYTES_SENT: none,
  CLUSTER_METADATA: keys,
  CONNECTION_ID: none,
  CONNECTION_TERMINATION_DETAILS: none,
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: none,
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: none,
  DOWNSTREAM_DIRECT_LOCAL_PORT: none,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: none,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: none,
  DOWNSTREAM_DIRECT_REMOTE_PORT: none,
  DOWNSTREAM_LOCAL_ADDRESS: none,
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: none,
  DOWNSTREAM_LOCAL_PORT: none,
  DOWNSTREAM_LOCAL_URI_SAN: none,
  DOWNSTREAM_PEER_CERT: none,
  DOWNSTREAM_PEER_DNS_SAN: none,
  DOWNSTREAM_PEER_FINGERPRINT_256: none,
  DOWNSTREAM_PEER_ISSUER: none,
  DOWNSTREAM_PEER_SERIAL: none,
  DOWNSTREAM_PEER_SUBJECT: none,
  DOWNSTREAM_PEER_URI_SAN: none,
  DOWNSTREAM_REMOTE_ADDRESS: none,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: none,
  DOWNSTREAM_REMOTE_PORT: none,
  DOWNSTREAM_TLS_CIPHER: none,
  DOWNSTREAM_TLS_VERSION: none,
  DURATION: none,
  DYNAMIC_METADATA: keys,
  ENVIRONMENT: variable,
  FILTER_STATE: key,
  GRPC_STATUS: grpcStyle,
  GRPC_STATUS_NUMBER: none,
  HOSTNAME: none,
  METADATA: sourceAndKeys,
  PROTOCOL: none,
  REQ: headerName,
  REQUESTED_SERVER_NAME: none,
  REQUEST_DURATION: none,
  REQUEST_TX_DURATION: none,
  RESP: headerName,
  RESPONSE_CODE: none,
  RESPONSE_CODE_DETAILS: none,
  RESPONSE_DURATION: none,
  RESPONSE_FLAGS: none,
  RESPONSE_FLAGS_LONG: none,
  RESPONSE_TX_DURATION: none,
  ROUTE_NAME: none,
  START_TIME: timeFormat,
  STREAM_ID: none,
  TRAILER: headerName,
  UNIQUE_ID: none,
  UPSTREAM_CLUSTER: none,
  UPSTREAM_CLUSTER_RAW: none,
  UPSTREAM_FILTER_STATE: key,
  UPSTREAM_HOST: none,
  UPSTREAM_LOCAL_ADDRESS: none,
  UPSTREAM_METADATA: keys,
  UPSTREAM_REMOTE_ADDRESS: none,
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: none,
  UPSTREAM_REMOTE_PORT: none,
  UPSTREAM_REQUEST_ATTEMPT_COUNT: none,
  UPSTREAM_TRANSPORT_FAILURE_REASON: none,
  VIRTUAL_CLUSTER_NAME: none,
  WEFT_DECISION_ID: none,
  WEFT_ORIGIN: none,
};

/** Sorted. */
export const formatOperators: readonly string[] = Object.keys(argumentRules);

/** What is wrong with the argument of one of them, or null. */
export function argumentProblem(operator: string, argument: string): string | null {
  return argumentRules[operator]?.(argument) ?? null;
}
