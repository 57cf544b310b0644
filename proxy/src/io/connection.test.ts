import assert from 'node:assert/strict';
import { connect, Socket } from 'node:net';
import { test } from 'node:test';
import { until, waitFor } from '../../../test/kit/until.ts';
import { startTcpServer } from '../../../test/kit/upstream.ts';
import { Connection } from './connection.ts';
import { containDefects } from './defect.ts';

test('a connection that is reset right behind its end is closed, not left open', async (context) => {
  let isGone = false;
  const port = await startTcpServer(context, (socket) => {
    socket
      .on('end', () => socket.end())
      .on('close', () => {
        isGone = true;
      });
    socket.resume();
  });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await waitFor(socket, 'connect');
  const connection = new Connection(socket);
  connection.write(Buffer.from('last words'), 0, 10);
  connection.end();
  connection.flush();
  connection.reset();
  await until('our side is closed', () => connection.isClosed);
  await until('the other side notices', () => isGone);
});

test('a defect costs the connection that met it, and is told', async (context) => {
  const told: unknown[] = [];
  containDefects((error) => told.push(error));
  context.after(() => containDefects(null));
  const port = await startTcpServer(context, (socket) => socket.write('anything'));
  const socket = connect({ port, host: '127.0.0.1' });
  await waitFor(socket, 'connect');
  const defect = new TypeError('of ours');
  let isOver = false;
  const connection = new Connection(socket, {
    onBytes: () => {
      throw defect;
    },
    onFin: () => {},
    onDrain: () => {},
    onClose: () => {
      isOver = true;
    },
  });
  connection.listenForData();
  await until('its owner hears that it is over', () => isOver);
  assert.deepEqual(told, [defect]);
});

test('many connections that let others go first go on a few at a time, in their order', async () => {
  const resumed: number[] = [];
  const connections = Array.from({ length: 20 }, (_, index) => {
    const socket = new Socket();
    socket.resume = () => {
      resumed.push(index);
      return socket;
    };
    return new Connection(socket);
  });
  for (const connection of connections) connection.yieldTurn();
  const turns: number[] = [];
  while (resumed.length < connections.length) {
    const before = resumed.length;
    await new Promise((resolve) => setImmediate(resolve));
    turns.push(resumed.length - before);
  }
  assert.deepEqual(turns, [8, 8, 4]);
  assert.deepEqual(resumed, [...connections.keys()]);
});
