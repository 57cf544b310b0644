import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeGrpcMessage, grpcStatusFromHttp, httpStatusFromGrpc, isGrpcType, parseGrpcStatus } from './header.ts';

test('knows the content types of gRPC from its relatives', () => {
  for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc;charset=utf-8']) {
    assert.equal(isGrpcType(type), true, type);
  }
  for (const type of [
    undefined,
    'text/plain',
    'application/grpc-web',
    'application/grpc-web-text',
    'application/grp',
  ]) {
    assert.equal(isGrpcType(type), false, String(type));
  }
});

test('reads a status that is none as UNKNOWN', () => {
  assert.deepEqual(['0', '14', '', '-1', '1e3', '9'.repeat(12)].map(parseGrpcStatus), [0, 14, 2, 2, 2, 2]);
});

test('maps statuses both ways as gRPC and its proxies do', () => {
  assert.deepEqual(
    [400, 401, 403, 404, 429, 502, 503, 504, 418, 200].map(grpcStatusFromHttp),
    [13, 16, 7, 12, 14, 14, 14, 14, 2, 2],
  );
  assert.deepEqual(
    [0, 1, 4, 8, 12, 13, 14, 2, 99].map(httpStatusFromGrpc),
    [200, 499, 504, 429, 501, 500, 503, 500, 500],
  );
});

test('escapes what may not stand in a message', () => {
  assert.equal(encodeGrpcMessage('a b~%\n'), 'a b~%25%0A');
  assert.equal(encodeGrpcMessage('☺'), '%E2%98%BA');
});
