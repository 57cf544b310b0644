// A server of the interoperability service, by `@grpc/grpc-js`.

import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type {
  Empty,
  SimpleRequest,
  SimpleResponse,
  StreamingInputCallRequest,
  StreamingInputCallResponse,
  StreamingOutputCallRequest,
  StreamingOutputCallResponse,
} from './message.ts';
import { testService } from './service.ts';

/** Metadata that the server gives back: one key among its headers, the other among its trailers. */
export const initialKey = 'x-grpc-test-echo-initial';
export const trailingKey = 'x-grpc-test-echo-trailing-bin';

interface Echoing {
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
}

function echoInitial(call: Echoing): void {
  const [value] = call.metadata.get(initialKey);
  if (value === undefined) return;
  const initial = new Metadata();
  initial.set(initialKey, value);
  call.sendMetadata(initial);
}

function trailersOf(call: Echoing): Metadata {
  const trailers = new Metadata();
  for (const value of call.metadata.get(trailingKey)) trailers.add(trailingKey, value);
  return trailers;
}

function emptyCall(call: ServerUnaryCall<Empty, Empty>, done: sendUnaryData<Empty>): void {
  echoInitial(call);
  done(null, {}, trailersOf(call));
}

function unaryCall(call: ServerUnaryCall<SimpleRequest, SimpleResponse>, done: sendUnaryData<SimpleResponse>): void {
  const { responseStatus, responseSize = 0 } = call.request;
  echoInitial(call);
  if (responseStatus != null && (responseStatus.code ?? 0) !== 0) {
    done({ code: responseStatus.code ?? 0, details: responseStatus.message ?? '', metadata: trailersOf(call) });
    return;
  }
  done(null, { payload: { body: Buffer.alloc(responseSize) } }, trailersOf(call));
}

function streamingInputCall(
  call: ServerReadableStream<StreamingInputCallRequest, StreamingInputCallResponse>,
  done: sendUnaryData<StreamingInputCallResponse>,
): void {
  let aggregatedPayloadSize = 0;
  call.on('data', ({ payload }: StreamingInputCallRequest) => {
    aggregatedPayloadSize += payload?.body?.length ?? 0;
  });
  call.on('end', () => done(null, { aggregatedPayloadSize }));
}

type OutputCall = Pick<
  ServerDuplexStream<StreamingOutputCallRequest, StreamingOutputCallResponse>,
  'write' | 'once' | 'cancelled'
>;

/** Writes what a request asks for, no faster than it is taken. */
async function answer(call: OutputCall, request: StreamingOutputCallRequest): Promise<void> {
  for (const { size = 0, intervalUs = 0 } of request.responseParameters ?? []) {
    if (intervalUs > 0) await new Promise((resolve) => setTimeout(resolve, intervalUs / 1000));
    if (call.cancelled) return;
    const isTaken = call.write({ payload: { body: Buffer.alloc(size) } });
    if (!isTaken) await new Promise((resolve) => call.once('drain', () => resolve(undefined)));
  }
}

function streamingOutputCall(
  call: ServerWritableStream<StreamingOutputCallRequest, StreamingOutputCallResponse>,
): void {
  void answer(call as unknown as OutputCall, call.request).then(() => call.end());
}

function fullDuplexCall(call: ServerDuplexStream<StreamingOutputCallRequest, StreamingOutputCallResponse>): void {
  echoInitial(call);
  let work = Promise.resolve();
  let failed = false;
  call.on('error', () => {});
  call.on('data', (request: StreamingOutputCallRequest) => {
    const { responseStatus } = request;
    if (responseStatus != null && (responseStatus.code ?? 0) !== 0) {
      failed = true;
      const status = { code: responseStatus.code ?? 0, details: responseStatus.message ?? '' };
      call.emit('error', { ...status, metadata: trailersOf(call) });
      return;
    }
    work = work.then(() => answer(call, request));
  });
  call.on('end', () => {
    if (!failed) void work.then(() => call.end(trailersOf(call)));
  });
}

const implementation: UntypedServiceImplementation = {
  emptyCall,
  unaryCall,
  streamingInputCall,
  streamingOutputCall,
  fullDuplexCall,
};

/** Starts it on a loopback port, a free one by default; `close` ends it with all its connections. */
export async function startTestServer(wanted = 0): Promise<{ readonly port: number; close(): void }> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(testService as unknown as ServiceDefinition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${wanted}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return { port, close: () => server.forceShutdown() };
}
