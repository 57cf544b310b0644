// The service that gRPC's interoperability tests call, described for `@grpc/grpc-js`: all four kinds of calls.

import type { MethodDefinition } from '@grpc/grpc-js';
import {
  type Codec,
  empty,
  inputRequest,
  inputResponse,
  outputRequest,
  outputResponse,
  simpleRequest,
  simpleResponse,
} from './message.ts';

function method<Q, R>(
  path: string,
  request: Codec<Q>,
  response: Codec<R>,
  streams: { readonly in?: boolean; readonly out?: boolean } = {},
): MethodDefinition<Q, R> {
  return {
    path,
    requestStream: streams.in === true,
    responseStream: streams.out === true,
    requestSerialize: request.encode,
    requestDeserialize: request.decode,
    responseSerialize: response.encode,
    responseDeserialize: response.decode,
  };
}

const name = '/grpc.testing.TestService';

/** What the server offers. */
export const testService = {
  emptyCall: method(`${name}/EmptyCall`, empty, empty),
  unaryCall: method(`${name}/UnaryCall`, simpleRequest, simpleResponse),
  streamingInputCall: method(`${name}/StreamingInputCall`, inputRequest, inputResponse, { in: true }),
  streamingOutputCall: method(`${name}/StreamingOutputCall`, outputRequest, outputResponse, { out: true }),
  fullDuplexCall: method(`${name}/FullDuplexCall`, outputRequest, outputResponse, { in: true, out: true }),
} as const;

/** What it does not. */
export const unimplementedMethod = method(`${name}/UnimplementedCall`, empty, empty);
export const unimplementedService = method('/grpc.testing.UnimplementedService/UnimplementedCall', empty, empty);
