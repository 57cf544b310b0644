import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Probe, probeOnce } from './probe.ts';

async function listen(context: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('a readiness check', () => {
  for (const [status, ready] of [
    [200, true],
    [399, true],
    [404, false],
    [500, false],
  ] as const) {
    it(`by HTTP takes status ${status} for ${ready ? 'ready' : 'not ready'}`, async (context) => {
      const port = await listen(
        context,
        createServer((_, response) => response.writeHead(status).end()),
      );
      assert.equal(await probeOnce({ port, path: '/' }, 1000), ready);
    });
  }

  it('is not ready when nobody listens, or nobody answers in time', async (context) => {
    const silent = createTcpServer();
    const port = await listen(context, silent);
    assert.equal(await probeOnce({ port, path: '/' }, 50), false);
    silent.close();
    assert.equal(await probeOnce({ port: 1, path: '/' }, 1000), false);
    assert.equal(await probeOnce({ port: 1, path: null }, 1000), false);
  });

  it('by TCP does not reset a server that speaks first', async (context) => {
    const ended = Promise.withResolvers<string>();
    const server = createTcpServer((socket) => {
      socket.write('220 hello\r\n');
      socket.once('error', (error) => ended.resolve(error.message));
      socket.once('close', () => ended.resolve('closed'));
      socket.resume();
    });
    const port = await listen(context, server);
    assert.equal(await probeOnce({ port, path: null }, 1000), true);
    assert.equal(await ended.promise, 'closed');
  });

  it('that nobody asked for ends once the program listens', async (context) => {
    let connections = 0;
    const server = createTcpServer((socket) => {
      connections++;
      socket.end();
    });
    const port = await listen(context, server);
    const ready = Promise.withResolvers<boolean>();
    const probe = new Probe({ port, path: null }, null, (isReady) => ready.resolve(isReady));
    context.after(() => probe.stop());
    probe.start();
    assert.equal(await ready.promise, true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(connections, 1);
  });

  it('tells unready when the program is gone, once', () => {
    const told: boolean[] = [];
    const probe = new Probe(null, null, (isReady) => told.push(isReady));
    probe.start();
    probe.stop();
    probe.stop();
    assert.deepEqual(told, [true, false]);
  });
});
