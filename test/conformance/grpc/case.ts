// The interoperability cases of gRPC (grpc/doc/interop-test-descriptions.md, by name) that need no cloud and no credentials.

import assert from 'node:assert/strict';
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type { TestClient } from './client.ts';
import type { StreamingOutputCallResponse } from './message.ts';
import { initialKey, trailingKey } from './server.ts';
import { testService, unimplementedMethod, unimplementedService } from './service.ts';
import { CallReader } from './stream.ts';

const requestSizes = [27_182, 8, 1828, 45_904] as const;
const responseSizes = [31_415, 9, 2653, 58_979] as const;

const payload = (size: number) => ({ body: Buffer.alloc(size) });
const sizeOf = (message: StreamingOutputCallResponse) => message.payload?.body?.length ?? 0;

async function emptyUnary(client: TestClient): Promise<void> {
  const { error, response } = await client.unary(testService.emptyCall, {});
  assert.equal(error, null);
  assert.ok(response);
}

async function largeUnary(client: TestClient): Promise<void> {
  const request = { responseSize: 314_159, payload: payload(271_828) };
  const { error, response } = await client.unary(testService.unaryCall, request);
  assert.equal(error, null);
  assert.equal(response?.payload?.body?.length, 314_159);
}

async function clientStreaming(client: TestClient): Promise<void> {
  const { call, outcome } = client.input(testService.streamingInputCall);
  for (const size of requestSizes) call.write({ payload: payload(size) });
  call.end();
  assert.equal((await outcome).response?.aggregatedPayloadSize, 74_922);
}

async function serverStreaming(client: TestClient): Promise<void> {
  const responseParameters = responseSizes.map((size) => ({ size }));
  const reader = new CallReader<StreamingOutputCallResponse>(
    client.output(testService.streamingOutputCall, { responseParameters }),
  );
  assert.equal((await reader.ended).code, status.OK);
  assert.deepEqual(reader.messages.map(sizeOf), [...responseSizes]);
}

async function pingPong(client: TestClient): Promise<void> {
  const call = client.duplex(testService.fullDuplexCall);
  const reader = new CallReader<StreamingOutputCallResponse>(call);
  for (const [i, size] of responseSizes.entries()) {
    call.write({ responseParameters: [{ size }], payload: payload(requestSizes[i] ?? 0) });
    assert.equal(sizeOf(await reader.received(i + 1)), size);
  }
  call.end();
  assert.equal((await reader.ended).code, status.OK);
  assert.equal(reader.messages.length, 4);
}

async function emptyStream(client: TestClient): Promise<void> {
  const call = client.duplex(testService.fullDuplexCall);
  const reader = new CallReader(call);
  call.end();
  assert.equal((await reader.ended).code, status.OK);
  assert.equal(reader.messages.length, 0);
}

async function customMetadata(client: TestClient): Promise<void> {
  const metadata = new Metadata();
  const trailing = Buffer.from([0xab, 0xab, 0xab]);
  metadata.set(initialKey, 'test_initial_metadata_value');
  metadata.set(trailingKey, trailing);
  const unary = await client.unary(
    testService.unaryCall,
    { responseSize: 314_159, payload: payload(271_828) },
    metadata,
  );
  assert.deepEqual(unary.initial?.get(initialKey), ['test_initial_metadata_value']);
  assert.deepEqual(unary.status.metadata.get(trailingKey), [trailing]);

  const call = client.duplex(testService.fullDuplexCall, metadata);
  const reader = new CallReader(call);
  call.write({ responseParameters: [{ size: 314_159 }], payload: payload(271_828) });
  call.end();
  const end = await reader.ended;
  assert.deepEqual(reader.initial?.get(initialKey), ['test_initial_metadata_value']);
  assert.deepEqual(end.metadata.get(trailingKey), [trailing]);
}

async function failWith(client: TestClient, code: number, message: string): Promise<void> {
  const responseStatus = { code, message };
  const unary = await client.unary(testService.unaryCall, { responseStatus });
  assert.deepEqual([unary.error?.code, unary.error?.details], [code, message]);
  const call = client.duplex(testService.fullDuplexCall);
  const reader = new CallReader(call);
  call.write({ responseStatus });
  call.end();
  const end: StatusObject = await reader.ended;
  assert.deepEqual([end.code, end.details], [code, message]);
}

async function unimplemented(client: TestClient, method: typeof unimplementedMethod): Promise<void> {
  assert.equal((await client.unary(method, {})).error?.code, status.UNIMPLEMENTED);
}

async function cancelAfterBegin(client: TestClient): Promise<void> {
  const { call, outcome } = client.input(testService.streamingInputCall);
  call.cancel();
  assert.equal((await outcome).error?.code, status.CANCELLED);
}

async function cancelAfterFirstResponse(client: TestClient): Promise<void> {
  const call = client.duplex(testService.fullDuplexCall);
  const reader = new CallReader(call);
  call.write({ responseParameters: [{ size: 31_415 }], payload: payload(27_182) });
  await reader.received(1);
  call.cancel();
  assert.equal((await reader.ended).code, status.CANCELLED);
}

async function timeoutOnSleepingServer(client: TestClient): Promise<void> {
  const call = client.duplex(testService.fullDuplexCall, new Metadata(), 1);
  const reader = new CallReader(call);
  call.write({ payload: payload(27_182) });
  assert.equal((await reader.ended).code, status.DEADLINE_EXCEEDED);
}

// One stream that stays open while many others come and go.
async function longLivedStream(client: TestClient): Promise<void> {
  const call = client.duplex(testService.fullDuplexCall);
  const reader = new CallReader<StreamingOutputCallResponse>(call);
  for (let i = 1; i <= 200; i++) {
    call.write({ responseParameters: [{ size: i }] });
    if (i % 20 === 0) await emptyUnary(client);
    assert.equal(sizeOf(await reader.received(i)), i);
  }
  call.end();
  assert.equal((await reader.ended).code, status.OK);
}

const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

/** Every case by its name. */
export const interopCases: Readonly<Record<string, (client: TestClient) => Promise<void>>> = {
  empty_unary: emptyUnary,
  large_unary: largeUnary,
  client_streaming: clientStreaming,
  server_streaming: serverStreaming,
  ping_pong: pingPong,
  empty_stream: emptyStream,
  custom_metadata: customMetadata,
  status_code_and_message: (client) => failWith(client, status.UNKNOWN, 'test status message'),
  special_status_message: (client) => failWith(client, status.UNKNOWN, special),
  unimplemented_method: (client) => unimplemented(client, unimplementedMethod),
  unimplemented_service: (client) => unimplemented(client, unimplementedService),
  cancel_after_begin: cancelAfterBegin,
  cancel_after_first_response: cancelAfterFirstResponse,
  timeout_on_sleeping_server: timeoutOnSleepingServer,
  long_lived_stream: longLivedStream,
};
