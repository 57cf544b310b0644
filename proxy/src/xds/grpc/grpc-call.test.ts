import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { closedPort } from '../../../../test/kit/upstream.ts';
import { GrpcCall } from './grpc-call.ts';
import type { GrpcStatus } from './status.ts';

test('a call to nowhere ends with the reason, also under an authority that is no name of a host', async () => {
  const port = await closedPort();
  const { promise, resolve } = Promise.withResolvers<GrpcStatus>();
  new GrpcCall(
    {
      clock: new PausedClock(),
      connect: () => connect({ host: '127.0.0.1', port }),
      authority: 'xds|grpc and more',
      isTls: false,
      path: '/a.B/C',
      metadata: {},
      connectTimeoutMs: 1000,
      messageLimitBytes: 1000,
      pingIntervalMs: 0,
      pingTimeoutMs: 0,
    },
    { onOpen: () => {}, onMessage: () => {}, onEnd: resolve },
  );
  assert.match((await promise).message, /ECONNREFUSED/);
});
