import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type OutgoingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer as createPlainServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PausedClock, systemClock } from '../clock.ts';
import { callUnary, type UnaryCall } from './unary.ts';

type Script = (stream: ServerHttp2Stream, headers: Record<string, unknown>, body: Buffer) => void;

async function serve(context: TestContext, script: Script): Promise<number> {
  const server = createServer();
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => script(stream, headers, Buffer.concat(chunks)));
    stream.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function call(port: number, more: Partial<UnaryCall> = {}): Promise<Buffer> {
  return callUnary({
    clock: systemClock,
    open: () => connect(port, '127.0.0.1'),
    authority: 'ca.example',
    path: '/a.B/C',
    metadata: { authorization: 'Bearer x' },
    request: Buffer.from('question'),
    timeoutMs: 10_000,
    ...more,
  });
}

function frame(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

function answer(stream: ServerHttp2Stream, body: Buffer, trailers: OutgoingHttpHeaders = { 'grpc-status': '0' }): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

test('asks and takes the answer', async (context) => {
  const seen: unknown[] = [];
  const port = await serve(context, (stream, headers, body) => {
    seen.push(
      headers[':path'],
      headers[':authority'],
      headers.authorization,
      headers['content-type'],
      headers.te,
      body,
    );
    answer(stream, frame('answer'));
  });
  assert.equal(String(await call(port)), 'answer');
  assert.deepEqual(seen, ['/a.B/C', 'ca.example', 'Bearer x', 'application/grpc', 'trailers', frame('question')]);
});

const failures: [name: string, script: Script, code: number, message: RegExp][] = [
  [
    'a status in the head',
    (stream) =>
      stream.respond({ ':status': 200, 'grpc-status': '16', 'grpc-message': 'who%20are%20you' }, { endStream: true }),
    16,
    /^who are you$/,
  ],
  [
    'a status behind the answer',
    (stream) => answer(stream, frame('x'), { 'grpc-status': '13', 'grpc-message': '100%' }),
    13,
    /^100%$/,
  ],
  ['no status', (stream) => stream.respond({ ':status': 200 }, { endStream: true }), 14, /without a status/],
  ['an HTTP error', (stream) => stream.respond({ ':status': 503 }, { endStream: true }), 14, /HTTP status 503/],
  ['half a message', (stream) => answer(stream, frame('answer').subarray(0, 8)), 13, /one whole message/],
  ['two messages', (stream) => answer(stream, Buffer.concat([frame('a'), frame('b')])), 13, /one whole message/],
  ['a compressed message', (stream) => answer(stream, Buffer.from([1, 0, 0, 0, 0])), 13, /one whole message/],
  ['an endless answer', (stream) => answer(stream, Buffer.alloc(2 * 1024 * 1024)), 13, /larger than/],
  ['a reset', (stream) => stream.close(8), 14, /./],
  ['a closed connection', (stream) => stream.session?.destroy(), 14, /./],
];
for (const [name, script, code, message] of failures) {
  test(`fails with ${name}`, async (context) => {
    const port = await serve(context, script);
    await assert.rejects(call(port), (error: unknown) => {
      assert.ok(error instanceof Error && 'code' in error);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
  });
}

test('fails where nobody listens, or somebody who does not speak HTTP/2', async () => {
  const plain = createPlainServer((socket) => {
    socket.on('error', () => {});
    socket.resume();
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as AddressInfo;
  await assert.rejects(call(port), { name: 'GrpcCallError', code: 14 });
  plain.close();
  await once(plain, 'close');
  await assert.rejects(call(port), /ECONNREFUSED/);
});

test('gives up in time', async (context) => {
  const clock = new PausedClock();
  const port = await serve(context, () => clock.advance(5000));
  await assert.rejects(call(port, { clock, timeoutMs: 5000 }), { code: 4, message: 'no answer in time' });
});
