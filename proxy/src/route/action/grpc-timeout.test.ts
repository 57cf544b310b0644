import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grantedTimeoutMs, grpcTimeoutMs, grpcTimeoutText } from './grpc-timeout.ts';

test('reads every unit', () => {
  assert.deepEqual(
    ['2H', '3M', '4S', '5m', '1500u', '99999999n', '1', '123456789m', 'm', '-1S'].map(grpcTimeoutMs),
    [7_200_000, 180_000, 4000, 5, 2, 100, -1, -1, -1, -1],
  );
});

test('writes what it reads, in eight digits', () => {
  assert.deepEqual([1.2, 99_999_999, 100_000_000, 1e15].map(grpcTimeoutText), [
    '2m',
    '99999999m',
    '100000S',
    '99999999S',
  ]);
});

test('grants what is asked up to the limit, less the offset', () => {
  const granted = (maxMs: number, offsetMs: number, header?: string) => grantedTimeoutMs({ maxMs, offsetMs }, header);
  assert.deepEqual([granted(0, 0), granted(0, 0, '3S'), granted(0, 0, 'nonsense')], [0, 3000, 0]);
  assert.deepEqual([granted(1000, 0), granted(1000, 0, '3S'), granted(1000, 0, '300m')], [1000, 1000, 300]);
  assert.deepEqual([granted(0, 100, '3S'), granted(0, 100, '50m')], [2900, 50]);
});
