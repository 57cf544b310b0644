// How the admin server treats a connection: order, limits, deadlines, and clients that leave.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { until, waitFor } from '../../../test/kit/until.ts';
import { Connection } from '../io/connection.ts';
import { type AdminAnswer, AdminConnection } from './admin-connection.ts';
import { textReply } from './reply.ts';

interface Scene {
  readonly clock: PausedClock;
  readonly socket: Socket;
  received(): string;
}

async function open(context: TestContext, answer: AdminAnswer): Promise<Scene> {
  const clock = new PausedClock();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    context.after(() => socket.destroy());
    new AdminConnection(new Connection(socket), clock, answer);
  });
  context.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  context.after(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await waitFor(socket, 'connect');
  return { clock, socket, received: () => text };
}

const echo: AdminAnswer = ({ method, target }, reply) => reply(textReply(`<${method} ${target}>`));

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

function bodies(text: string): string[] {
  return text.match(/<[^>]*>/g) ?? [];
}

describe('a connection to the admin server', () => {
  it('answers what is pipelined in order, however it is cut', async (context) => {
    const { socket, received } = await open(context, echo);
    for (const piece of (get('/a') + get('/b?c') + get('/d')).match(/.{1,7}/gs) ?? []) socket.write(piece);
    await until('all three are there', () => bodies(received()).length === 3);
    assert.deepEqual(bodies(received()), ['<GET /a>', '<GET /b?c>', '<GET /d>']);
  });

  it('keeps the order when answers take their time, and gives the last one to a client that has said all', async (context) => {
    const waiting: (() => void)[] = [];
    const { socket, received } = await open(context, (call, reply) => waiting.push(() => echo(call, reply)));
    socket.end(get('/a') + get('/b'));
    await until('the first is asked', () => waiting.length === 1);
    waiting[0]?.();
    await until('the second is asked', () => waiting.length === 2);
    waiting[1]?.();
    await waitFor(socket, 'end');
    assert.deepEqual(bodies(received()), ['<GET /a>', '<GET /b>']);
  });

  it('sends no body for HEAD, and its length', async (context) => {
    const { socket, received } = await open(context, echo);
    socket.write(`HEAD /a HTTP/1.1\r\nhost: localhost\r\n\r\n${get('/b')}`);
    await until('the second is there', () => bodies(received()).length === 1);
    assert.match(received(), /^HTTP\/1\.1 200 OK\r\n.*content-length: 9\r\n.*\r\n\r\nHTTP\/1\.1 200 OK/s);
    assert.deepEqual(bodies(received()), ['<GET /b>']);
  });

  it('ends after the reply when the client says so, and with HTTP/1.0', async (context) => {
    for (const request of ['GET /a HTTP/1.0\r\n\r\n', 'GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n']) {
      const { socket, received } = await open(context, echo);
      socket.write(request);
      await waitFor(socket, 'end');
      assert.match(received(), /connection: close/);
      assert.deepEqual(bodies(received()), ['<GET /a>']);
    }
  });

  it('asks for a body that waits to be asked for', async (context) => {
    const { socket, received } = await open(context, echo);
    socket.write('POST /a HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n');
    await until('it is asked for', () => received() === 'HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('hi');
    await until('the answer is there', () => bodies(received()).length === 1);
  });

  it('says what is wrong with a request and ends', async (context) => {
    const requests: [text: string, answer: RegExp][] = [
      ['GET  /a HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 .*the request line/s],
      [`GET /a HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 .*exceed the limit/s],
      [`POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 70000\r\n\r\n${'x'.repeat(70_000)}`, /^HTTP\/1\.1 413 /],
    ];
    for (const [text, answer] of requests) {
      const { socket, received } = await open(context, echo);
      socket.write(text);
      await waitFor(socket, 'end');
      assert.match(received(), answer);
    }
  });

  it('is closed when it is still for too long, between requests and within one', async (context) => {
    const idle = await open(context, echo);
    idle.socket.write(get('/a'));
    await until('the answer is there', () => bodies(idle.received()).length === 1);
    idle.clock.advance(4900);
    assert.equal(idle.socket.destroyed, false);
    idle.clock.advance(200);
    await waitFor(idle.socket, 'end');

    let seen = 0;
    const slow = await open(context, () => seen++);
    slow.socket.write('GET /a HTTP/1.1\r\n');
    await until('it is closed', () => {
      slow.clock.advance(1000);
      return slow.socket.readableEnded;
    });
    assert.equal(seen, 0);
  });

  it('asks a client that does not read for no further request', async (context) => {
    let asked = 0;
    const body = 'x'.repeat(4 * 1024 * 1024);
    const { socket } = await open(context, (_call, reply) => {
      asked++;
      reply(textReply(body));
    });
    socket.pause();
    socket.write(get('/a').repeat(1000));
    let before = -1;
    await until('nothing moves any more', () => {
      const isStill = asked === before && asked > 0;
      before = asked;
      return isStill;
    });
    assert.ok(asked < 20, `${asked} answers wait`);
    let length = 0;
    socket.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });
    socket.resume();
    await until('it goes on', () => length > 30 * body.length, 20_000);
  });
});
