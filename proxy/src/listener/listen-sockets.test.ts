import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bindError, type ListenRequest, type OpenSocket, ownSockets } from './listen-sockets.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function requestOf(port: number): ListenRequest {
  return {
    name: 'main',
    address: { host: '127.0.0.1', port, ipv6Only: false },
    backlog: 100,
    isTransparent: false,
  };
}

interface Opened {
  readonly socket: OpenSocket;
  readonly bound: Promise<number>;
  /** Resolves with the next connection. */
  readonly sockets: Socket[];
  readonly arrived: (count: number) => Promise<void>;
}

function open(context: TestContext, port: number): Opened {
  const { promise: bound, resolve, reject } = Promise.withResolvers<number>();
  bound.catch(() => {});
  const sockets: Socket[] = [];
  let onArrival = (): void => {};
  const onSocket = (socket: Socket): void => {
    sockets.push(socket);
    onArrival();
  };
  const socket = ownSockets.open(requestOf(port), { onBound: resolve, onFailed: reject, onSocket });
  context.after(() => {
    socket.close();
    for (const one of sockets) one.destroy();
  });
  const arrived = async (count: number): Promise<void> => {
    while (sockets.length < count) await new Promise<void>((go) => (onArrival = go));
  };
  return { socket, bound, sockets, arrived };
}

const probed = (port: number): Error | null => bindError({ host: '127.0.0.1', port, ipv6Only: false });

/** Opens where another one listens. */
function openInVain(port: number): WeakRef<object> {
  const events = { onBound: () => assert.fail('bound'), onFailed: () => {}, onSocket: () => {} };
  ownSockets.open(requestOf(port), events);
  return new WeakRef(events);
}

describe('the sockets of a listener', () => {
  it('are forgotten when they cannot be had: it tries again every second', async (context) => {
    const { bound } = open(context, 0);
    const failed = openInVain(await bound);
    await new Promise(setImmediate);
    collectGarbage();
    assert.equal(failed.deref(), undefined);
  });

  it('take every connection, and give the port up whole', async (context) => {
    const { socket, bound, arrived } = open(context, 0);
    const port = await bound;
    const clients = Array.from({ length: 60 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    await Promise.all(clients.map((client) => once(client, 'connect')));
    await arrived(clients.length);
    for (const client of clients) client.destroy();
    assert.notEqual(probed(port), null);
    socket.close();
    assert.equal(probed(port), null);
  });

  it('get a port that was named', async (context) => {
    const first = open(context, 0);
    const port = await first.bound;
    first.socket.close();
    assert.equal(await open(context, port).bound, port);
  });

  it('do not join another program that shares its port', async (context) => {
    const other = createServer().listen({ host: '127.0.0.1', port: 0, reusePort: process.platform === 'linux' });
    context.after(() => other.close());
    await once(other, 'listening');
    await assert.rejects(open(context, (other.address() as AddressInfo).port).bound, { code: 'EADDRINUSE' });
  });

  it('do not join those of another listener', async (context) => {
    const port = await open(context, 0).bound;
    await assert.rejects(open(context, port).bound, { code: 'EADDRINUSE' });
  });

  it('go to one that comes to the address by the same change, with the connections that wait', async (context) => {
    const free = open(context, 0);
    const port = await free.bound;
    free.socket.close();
    const first = open(context, port);
    await first.bound;
    const clients = Array.from({ length: 20 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    context.after(() => {
      for (const client of clients) client.destroy();
    });
    // The connections stand, and nobody has accepted them.
    await new Promise<void>((done) => process.nextTick(done));
    const second = open(context, port);
    first.socket.close();
    assert.equal(await second.bound, port);
    await second.arrived(20);
    assert.equal(first.sockets.length, 0);
    second.socket.close();
    assert.equal(probed(port), null);
  });

  it('that are closed while they open leave nothing behind', async (context) => {
    const first = open(context, 0);
    const port = await first.bound;
    first.socket.close();
    const second = open(context, port);
    second.socket.close();
    const third = open(context, port);
    await Promise.resolve();
    third.socket.close();
    assert.equal(await open(context, port).bound, port);
  });

  it('say so where a Unix socket cannot have its mode, and listen no more', { timeout: 10_000 }, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-mode-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'socket');
    const request = { ...requestOf(0), address: { path, mode: -1 } };
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const socket = ownSockets.open(request, { onBound: resolve, onFailed: reject, onSocket: (one) => one.destroy() });
    context.after(() => socket.close());
    await assert.rejects(promise, { code: 'ERR_OUT_OF_RANGE' });
    await assert.rejects(once(connect(path), 'connect'), { code: 'ENOENT' });
  });
});
