import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { until, waitFor } from '../../../../test/kit/until.ts';
import { startTcpServer } from '../../../../test/kit/upstream.ts';
import { Connection } from '../../io/connection.ts';
import { Linger } from './linger.ts';

test('a client that goes on with a long upload gets its answer: no more is read, and the close waits', async (context) => {
  const clock = new PausedClock();
  let client: Socket | null = null;
  const port = await startTcpServer(context, (socket) => {
    client = socket;
    socket.on('error', () => {});
    socket.write(Buffer.alloc(32 * 1024 * 1024));
  });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await waitFor(socket, 'connect');
  const connection = new Connection(socket);
  connection.write(Buffer.from('answer'), 0, 6);
  const linger = new Linger(connection, clock);
  connection.owner = {
    onBytes: (_buffer, _offset, length) => linger.onBytes(length),
    onFin() {},
    onDrain() {},
    onClose: () => linger.stop(),
  };
  connection.listenForData();
  await until('no more is read', () => connection.paused);
  assert.ok(client);
  const answer = waitFor(client, 'data');
  assert.equal(String((await answer)[0]), 'answer');
  assert.equal(connection.isClosed, false);
  clock.advance(2000);
  await until('it is closed', () => connection.isClosed);
});
