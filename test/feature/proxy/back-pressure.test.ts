// 64 MiB towards a reader that has stopped, in each direction: the proxy stops reading from the sender instead of growing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { fetchOnce } from '../../kit/client.ts';
import { startTcpServer } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, tcpProxy } from './fixture.ts';
import { type ProxyProcess, startProxyProcess } from './process.ts';

const mebibyte = 1024 * 1024;
const total = 64 * mebibyte;
const growthLimit = 8 * mebibyte;
const block = Buffer.alloc(256 * 1024, 'x');

/** Sends 64 MiB as fast as the other side takes them. */
class Sender {
  sent = 0;
  readonly finished: Promise<void>;

  constructor(socket: Socket) {
    this.finished = this.run(socket);
  }

  private async run(socket: Socket): Promise<void> {
    while (this.sent < total) {
      this.sent += block.length;
      if (!socket.write(block)) await once(socket, 'drain');
    }
  }
}

/** Resolves when no byte has moved for a while: every buffer on the way is full. */
async function untilStalled(proxy: ProxyProcess, sender: Sender): Promise<number> {
  let largest = 0;
  for (let quiet = 0, before = -1; quiet < 15; ) {
    // Each question is answered by the proxy itself, so it had its turn in between.
    largest = Math.max(largest, await proxy.resident());
    quiet = sender.sent === before ? quiet + 1 : 0;
    before = sender.sent;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return largest;
}

/** Memory before the load: after enough requests that everything on the path has been compiled. */
async function settledMemory(context: TestContext, proxy: ProxyProcess, port: number): Promise<number> {
  for (let i = 0; i < 200; i++) await fetchOnce(context, port, '/warm');
  for (let i = 0; i < 20; i++) await proxy.resident();
  return proxy.resident();
}

async function check(
  proxy: ProxyProcess,
  before: number,
  sender: Sender,
  reader: Socket,
  received: () => number,
): Promise<void> {
  const largest = await untilStalled(proxy, sender);
  assert.ok(sender.sent < total, 'the sender was held back');
  const growth = largest - before;
  assert.ok(growth < growthLimit, `the proxy grew by ${(growth / mebibyte).toFixed(1)} MiB`);
  reader.resume();
  await sender.finished;
  while (received() < total) await once(reader, 'data');
}

/** Counts bytes from now on, with reading paused. */
function pausedCounter(socket: Socket): () => number {
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  socket.pause();
  return () => received;
}

async function open(context: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  context.after(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return socket;
}

describe('a reader that has stopped', () => {
  it('holds an HTTP response back at the endpoint', async (context) => {
    let sender: Sender | null = null;
    const server = await startTcpServer(context, (socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes('/warm')) {
          socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
          return;
        }
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
        sender = new Sender(socket);
      });
    });
    const proxy = await startProxyProcess(context, {
      listeners: [listener('main', httpManager([routeTo('a', { timeout: '0s' })]))],
      clusters: [cluster('a', [server])],
    });
    const port = await proxy.port('main');
    const before = await settledMemory(context, proxy, port);
    const client = await open(context, port);
    const received = pausedCounter(client);
    client.write('GET /large HTTP/1.1\r\nhost: a\r\n\r\n');
    while (sender === null) await new Promise((resolve) => setImmediate(resolve));
    await check(proxy, before, sender, client, received);
  });

  it('holds an HTTP request back at the client', async (context) => {
    const sockets: Socket[] = [];
    let early = 0;
    const server = await startTcpServer(context, (socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes('/warm')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        if (!chunk.includes('/large')) return;
        socket.pause();
        early = chunk.length - chunk.indexOf('\r\n\r\n') - 4;
        sockets.push(socket);
      });
    });
    const proxy = await startProxyProcess(context, {
      listeners: [listener('main', httpManager([routeTo('a', { timeout: '0s' })]))],
      clusters: [cluster('a', [server])],
    });
    const port = await proxy.port('main');
    const before = await settledMemory(context, proxy, port);
    const client = await open(context, port);
    client.write(`POST /large HTTP/1.1\r\nhost: a\r\ncontent-length: ${total}\r\n\r\n`);
    while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [reader] = sockets;
    assert.ok(reader);
    const received = pausedCounter(reader);
    const sender = new Sender(client);
    await check(proxy, before, sender, reader, () => early + received());
  });

  for (const direction of ['to the endpoint', 'to the client']) {
    it(`holds a TCP connection back ${direction}`, async (context) => {
      const accepted: Socket[] = [];
      const server = await startTcpServer(context, (socket) => {
        accepted.push(socket);
      });
      const proxy = await startProxyProcess(context, {
        listeners: [listener('main', tcpProxy('a'))],
        clusters: [cluster('a', [server])],
      });
      for (let i = 0; i < 100; i++) await proxy.resident();
      const before = await proxy.resident();
      const client = await open(context, await proxy.port('main'));
      while (accepted.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const [endpoint] = accepted;
      assert.ok(endpoint);
      const [from, to] = direction === 'to the endpoint' ? [client, endpoint] : [endpoint, client];
      const received = pausedCounter(to);
      await check(proxy, before, new Sender(from), to, received);
    });
  }
});
