// The agreement of several workers about listening, without workers: who binds where, who waits, who takes over.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import type { ListenRequest } from '../listener/listen-sockets.ts';
import { ListenClaims } from './listen-claims.ts';

const free: ListenRequest = {
  name: 'main',
  address: { host: '127.0.0.1', port: 0, ipv6Only: false },
  backlog: 1,
  isTransparent: false,
};
const pipe: ListenRequest = {
  name: 'pipe',
  address: { path: '/run/x.sock', mode: 0 },
  backlog: 1,
  isTransparent: false,
};

const skip =
  process.platform === 'linux' ? false : 'only Linux gives a connection to the closer of two addresses of one port';

/** Opens a listener in the main thread; resolves as it goes. */
function open(claims: ListenClaims, request: ListenRequest) {
  const { promise: bound, resolve, reject } = Promise.withResolvers<number>();
  bound.catch(() => {});
  const socket = claims.open(request, { onBound: resolve, onFailed: reject, onSocket: () => {} });
  return { bound, socket };
}

describe('workers that listen', () => {
  it('get the number that the first one got', async () => {
    const claims = new ListenClaims(new PausedClock());
    const { bound } = open(claims, free);
    assert.deepEqual(await claims.listen(0, free), { port: 0 });
    const second = claims.listen(1, free);
    claims.onBound(0, free, 4711);
    assert.deepEqual(await second, { port: 4711 });
    assert.equal(await bound, 4711);
  });

  it('may ask before the main thread does', async () => {
    const claims = new ListenClaims(new PausedClock());
    const asked = claims.listen(0, free);
    open(claims, free);
    assert.deepEqual(await asked, { port: 0 });
  });

  it('may ask, and take it back, before the main thread does', async () => {
    const claims = new ListenClaims(new PausedClock());
    void claims.listen(0, pipe);
    claims.onClosed(0, pipe);
    open(claims, pipe);
    assert.deepEqual(await claims.listen(1, pipe), { port: 0 });
  });

  it('let the next one try when the first one dies before it has bound', async () => {
    const claims = new ListenClaims(new PausedClock());
    open(claims, free);
    await claims.listen(0, free);
    const second = claims.listen(1, free);
    claims.onWorkerGone(0);
    assert.deepEqual(await second, { port: 0 });
  });

  it('are told when another program has the port, even one that shares it', async (context) => {
    const other = createServer().listen({ host: '127.0.0.1', port: 0, reusePort: process.platform === 'linux' });
    context.after(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const request = { ...free, address: { host: '127.0.0.1', port, ipv6Only: false } };
    const claims = new ListenClaims(new PausedClock());
    const { bound } = open(claims, request);
    await assert.rejects(claims.listen(0, request), { code: 'EADDRINUSE' });
    await assert.rejects(bound, { code: 'EADDRINUSE' });
  });

  it('are told when another listener has the port', async () => {
    const claims = new ListenClaims(new PausedClock());
    const address = { host: '127.0.0.1', port: 4711, ipv6Only: false };
    open(claims, { ...free, address });
    const { bound } = open(claims, { ...free, name: 'other', address });
    await assert.rejects(bound, { code: 'EADDRINUSE' });
  });

  it('may have one address of a port of which another listener has all', { skip }, async (context) => {
    const server = createServer().listen({ host: '0.0.0.0', port: 0, reusePort: true });
    context.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const all = { ...free, address: { host: '0.0.0.0', port, ipv6Only: false } };
    const claims = new ListenClaims(new PausedClock());
    // As after a listener of which workers still have the sockets.
    claims.onBound(0, all, port);
    open(claims, all);
    const one = { ...free, name: 'one', address: { ...all.address, host: '127.0.0.1' } };
    open(claims, one);
    assert.deepEqual(await claims.listen(0, all), { port });
    assert.deepEqual(await claims.listen(0, one), { port });
  });

  it('may take a port over from a listener that is gone while some still have it', async () => {
    const claims = new ListenClaims(new PausedClock());
    const address = { host: '127.0.0.1', port: 4711, ipv6Only: false };
    const { socket } = open(claims, { ...free, address });
    claims.onBound(0, { ...free, address }, 4711);
    socket.close();
    const next = { ...free, name: 'next', address };
    const { bound } = open(claims, next);
    assert.deepEqual(await claims.listen(0, next), { port: 4711 });
    claims.onBound(0, next, 4711);
    assert.equal(await bound, 4711);
  });

  it('have one Unix socket among them, which goes on when its worker dies', async () => {
    const claims = new ListenClaims(new PausedClock());
    const offers: number[] = [];
    claims.onOffer = (worker) => offers.push(worker);
    const { bound } = open(claims, pipe);
    assert.deepEqual(await claims.listen(0, pipe), { port: 0 });
    assert.equal(await claims.listen(1, pipe), 'elsewhere');
    claims.onBound(0, pipe, 0);
    assert.equal(await bound, 0);
    claims.onWorkerGone(0);
    assert.deepEqual(offers, [1]);
  });

  it('have the Unix socket of a listener before where that one had it, or in any other when its worker dies', async () => {
    const claims = new ListenClaims(new PausedClock());
    const offers: number[] = [];
    claims.onOffer = (worker) => offers.push(worker);
    const { socket } = open(claims, pipe);
    await claims.listen(1, pipe);
    claims.onBound(1, pipe, 0);
    socket.close();
    const next = { ...pipe, name: 'next' };
    open(claims, next);
    assert.equal(await claims.listen(0, next), 'elsewhere');
    assert.deepEqual(await claims.listen(1, next), { port: 0 });
    claims.onWorkerGone(1);
    assert.deepEqual(offers, [0]);
  });

  it('are offered a Unix socket again that they could not take over', async () => {
    const clock = new PausedClock();
    const claims = new ListenClaims(clock);
    const offers: number[] = [];
    claims.onOffer = (worker) => offers.push(worker);
    open(claims, pipe);
    await claims.listen(0, pipe);
    claims.onBound(0, pipe, 0);
    await claims.listen(1, pipe);
    claims.onWorkerGone(0);
    claims.onUnbound(1, pipe, new Error('EADDRINUSE'));
    assert.deepEqual(offers, [1]);
    clock.advance(1000);
    assert.deepEqual(offers, [1, 1]);
  });
});
