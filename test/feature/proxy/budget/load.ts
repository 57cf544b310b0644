// Upstreams and clients that ask the same again and again, over many connections or streams at once.

import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Session,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';

const body = Buffer.alloc(1024, 'x');
const request = Buffer.from('GET /api/item HTTP/1.1\r\nhost: shop.example\r\nuser-agent: test\r\n\r\n');
const lastRequest = Buffer.from('GET /api/item HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n');
const response = Buffer.concat([
  Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n`),
  body,
]);
const connections = 16;
/** As many as it takes for a table of them to outlive a collection. */
const closing = 128;
const streams = 256;

/** Answers every read that holds a whole request, as clients that wait for their answers send it. */
export async function startHttp1Upstream(context: TestContext): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', () => socket.write(response)).on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

export async function startHttp2Upstream(context: TestContext): Promise<number> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createHttp2Server({ settings: { maxConcurrentStreams: 1000 } }, (_request, reply) => {
    reply.writeHead(200, { 'content-type': 'text/plain' });
    reply.end(body);
  });
  server.on('session', (session) => sessions.add(session));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  context.after(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** Something that can send requests and tells when all of them are answered. */
export type Load = (requests: number) => Promise<void>;

export async function http1Load(context: TestContext, port: number, isTls: boolean): Promise<Load> {
  const sockets = Array.from({ length: connections }, () =>
    isTls ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1'),
  );
  context.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => once(socket, isTls ? 'secureConnect' : 'connect')));
  return async (requests) => {
    await Promise.all(sockets.map((socket) => askAgain(socket, requests / connections)));
  };
}

// One response is known by the end of its body: nothing but the body holds its letter so often.
function askAgain(socket: Socket, requests: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = requests;
    let letters = 0;
    const onData = (chunk: Buffer): void => {
      for (const byte of chunk) if (byte === 0x78) letters++;
      if (letters < body.length) return;
      letters = 0;
      if (--left > 0) socket.write(request);
      else {
        socket.off('data', onData);
        resolve();
      }
    };
    socket.on('data', onData).once('error', reject);
    socket.write(request);
  });
}

/** A connection for each request, several at a time. */
export function http1CloseLoad(port: number): Load {
  return async (requests) => {
    let left = requests;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await askOnce(port);
    };
    await Promise.all(Array.from({ length: closing }, worker));
  };
}

async function askOnce(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1', () => socket.write(lastRequest));
  socket.resume();
  await once(socket, 'close');
}

export async function http2Load(context: TestContext, port: number): Promise<Load> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  context.after(() => session.destroy());
  await once(session, 'remoteSettings');
  return async (requests) => {
    let left = requests;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await ask(session);
    };
    await Promise.all(Array.from({ length: streams }, worker));
  };
}

async function ask(session: ClientHttp2Session): Promise<void> {
  const stream = session.request({ ':path': '/api/item', ':authority': 'shop.example', 'user-agent': 'test' });
  stream.resume();
  await once(stream, 'end');
}
