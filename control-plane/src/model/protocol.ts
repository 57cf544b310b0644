// Which protocol a port speaks, as Istio finds it out: from `appProtocol`, else from the prefix of the port's name.

/** `auto` is a port that declares nothing: the proxy looks at the first bytes. */
export type Protocol =
  | 'http'
  | 'http2'
  | 'grpc'
  | 'grpc-web'
  | 'https'
  | 'tls'
  | 'tcp'
  | 'redis'
  | 'mongo'
  | 'mysql'
  | 'udp'
  | 'auto';

const byName: ReadonlyMap<string, Protocol> = new Map([
  ['http', 'http'],
  ['http1', 'http'],
  ['http2', 'http2'],
  ['h2c', 'http2'],
  ['grpc', 'grpc'],
  ['grpc-web', 'grpc-web'],
  ['https', 'https'],
  ['tls', 'tls'],
  ['tcp', 'tcp'],
  ['redis', 'redis'],
  ['mongo', 'mongo'],
  ['mysql', 'mysql'],
  ['udp', 'udp'],
  ['ws', 'http'],
  ['wss', 'https'],
  ['kubernetes.io/h2c', 'http2'],
  ['kubernetes.io/ws', 'http'],
  ['kubernetes.io/wss', 'https'],
]);

/** The protocol that a word such as `HTTP` or `kubernetes.io/h2c` names; `auto` when it names none. */
export function protocolOf(word: string): Protocol {
  return byName.get(word.toLowerCase()) ?? 'auto';
}

/** The protocol of a Kubernetes service port. */
export function portProtocol(
  name: string | undefined,
  appProtocol: string | undefined,
  transport: string | undefined,
): Protocol {
  if (transport === 'UDP' || transport === 'SCTP') return 'udp';
  if (appProtocol !== undefined) return protocolOf(appProtocol);
  if (name === undefined) return 'auto';
  if (name.startsWith('grpc-web')) return 'grpc-web';
  const dash = name.indexOf('-');
  return protocolOf(dash < 0 ? name : name.slice(0, dash));
}

/** Whether requests of the protocol are routed one by one. */
export function isHttp(protocol: Protocol): boolean {
  return protocol === 'http' || isHttp2(protocol);
}

/** Whether the upstream connection has to be HTTP/2. */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'http2' || isGrpc(protocol);
}

/** Whether calls are gRPC. With `grpc-web` the server speaks gRPC and its sidecar translates for browsers, as in Istio. */
export function isGrpc(protocol: Protocol): boolean {
  return protocol === 'grpc' || protocol === 'grpc-web';
}

/** Whether the application's own TLS passes through: routed by server name. */
export function isTls(protocol: Protocol): boolean {
  return protocol === 'https' || protocol === 'tls';
}
