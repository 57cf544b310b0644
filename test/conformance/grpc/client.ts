// A client of the interoperability service, by `@grpc/grpc-js`: each kind of call as a promise or a stream.

import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';

/** What one call came to. */
export interface Outcome<R> {
  readonly response: R | null;
  readonly error: ServiceError | null;
  readonly initial: Metadata | null;
  readonly status: StatusObject;
}

export class TestClient {
  private readonly client: Client;

  /** `address` is host and port of a proxy or server without TLS; `isCaptured` has calls go by the proxy that the environment names. */
  constructor(address: string, isCaptured = false) {
    this.client = new Client(address, credentials.createInsecure(), {
      'grpc.enable_http_proxy': isCaptured ? 1 : 0,
      'grpc.max_receive_message_length': -1,
    });
  }

  unary<Q, R>(method: MethodDefinition<Q, R>, request: Q, metadata: Metadata = new Metadata()): Promise<Outcome<R>> {
    return new Promise((resolve) => {
      const { path, requestSerialize, responseDeserialize } = method;
      let finish: (response: R | null, error: ServiceError | null) => void = () => {};
      const call = this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        (error, response) => finish(response ?? null, error),
      );
      finish = settle(call, resolve);
    });
  }

  /** A call that streams to the server; `outcome` resolves with its end. */
  input<Q, R>(
    method: MethodDefinition<Q, R>,
  ): { readonly call: ClientWritableStream<Q>; readonly outcome: Promise<Outcome<R>> } {
    let finish: (response: R | null, error: ServiceError | null) => void = () => {};
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
      (error, response) => finish(response ?? null, error),
    );
    const outcome = new Promise<Outcome<R>>((resolve) => {
      finish = settle(call, resolve);
    });
    return { call, outcome };
  }

  output<Q, R>(method: MethodDefinition<Q, R>, request: Q): ClientReadableStream<R> {
    const { path, requestSerialize, responseDeserialize } = method;
    return this.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  }

  duplex<Q, R>(
    method: MethodDefinition<Q, R>,
    metadata: Metadata = new Metadata(),
    deadlineMs = 0,
  ): ClientDuplexStream<Q, R> {
    const { path, requestSerialize, responseDeserialize } = method;
    const options = deadlineMs === 0 ? {} : { deadline: Date.now() + deadlineMs };
    return this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
  }

  close(): void {
    this.client.close();
  }
}

type UnaryCall = Pick<ClientUnaryCall, 'on'>;

// Response and status come separately, in either order.
function settle<R>(
  call: UnaryCall,
  resolve: (outcome: Outcome<R>) => void,
): (response: R | null, error: ServiceError | null) => void {
  let initial: Metadata | null = null;
  let status: StatusObject | null = null;
  let result: { response: R | null; error: ServiceError | null } | null = null;
  const look = () => {
    if (status !== null && result !== null) resolve({ ...result, initial, status });
  };
  call.on('metadata', (metadata: Metadata) => {
    initial = metadata;
  });
  call.on('status', (found: StatusObject) => {
    status = found;
    look();
  });
  return (response, error) => {
    result = { response, error };
    look();
  };
}
