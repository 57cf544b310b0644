import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '@weft/lib/bytes';
import { HeaderBlock, Headers } from '@weft/lib/header';
import { defaultHttp1Limits, RequestDecoder, type RequestHead, ResponseDecoder, type ResponseHead } from './decode.ts';
import {
  encodeChunkEnd,
  encodeChunkHead,
  encodeLastChunk,
  encodeRequestHead,
  encodeResponseHead,
  FRAMING_CHUNKED,
  FRAMING_LENGTH,
  FRAMING_NONE,
  type Framing,
} from './encode.ts';

function decodeRequest(text: string): RequestHead {
  const heads: RequestHead[] = [];
  const sink = { onRequest: (head: RequestHead) => void heads.push(head), onData() {}, onEnd() {} };
  const bytes = Buffer.from(text, 'latin1');
  const decoder = new RequestDecoder(defaultHttp1Limits, sink);
  decoder.decode(bytes, 0, bytes.length);
  assert.equal(decoder.error, null);
  return heads[0] as RequestHead;
}

function decodeResponse(text: string): ResponseHead {
  const heads: ResponseHead[] = [];
  const sink = {
    onResponse: (head: ResponseHead) => void heads.push(head),
    onInformational() {},
    onData() {},
    onEnd() {},
  };
  const bytes = Buffer.from(text, 'latin1');
  const decoder = new ResponseDecoder(defaultHttp1Limits, sink);
  decoder.start('GET');
  decoder.decode(bytes, 0, bytes.length);
  assert.equal(decoder.error, null);
  return heads[0] as ResponseHead;
}

function written(write: (out: ByteWriter) => void): string {
  const out = new ByteWriter(16);
  write(out);
  return out.view().toString('latin1');
}

function forward(head: RequestHead, headers: Headers, framing: Framing, authority = head.authority): string {
  return written((out) => encodeRequestHead(out, head.method, head.path, authority, headers, framing));
}

test('forwards a request as it came, without what is meant for one hop', () => {
  const head = decodeRequest(
    'GET /a HTTP/1.1\r\nHost: A.example\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n' +
      'Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-UPPER: Value\r\nTE: trailers\r\n\r\n',
  );
  assert.equal(
    forward(head, new Headers(head.block), FRAMING_NONE),
    'GET /a HTTP/1.1\r\nHost: A.example\r\nX-UPPER: Value\r\nTE: trailers\r\n\r\n',
  );
});

test('says of TE only what concerns the next hop', () => {
  const head = decodeRequest('GET /a HTTP/1.1\r\nHost: a\r\nTE: gzip;q=0.5, trailers\r\n\r\n');
  assert.equal(
    forward(head, new Headers(head.block), FRAMING_NONE),
    'GET /a HTTP/1.1\r\nHost: a\r\nte: trailers\r\n\r\n',
  );
});

test('writes what was added and leaves out what was removed, again and again from one block', () => {
  const head = decodeRequest('GET /a HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nX-Two: 2\r\n\r\n');
  for (let times = 0; times < 3; times++) {
    const headers = new Headers(head.block);
    headers.remove('x-one');
    headers.set('x-three', `${times}`);
    assert.equal(
      forward(head, headers, FRAMING_NONE),
      `GET /a HTTP/1.1\r\nHost: a\r\nX-Two: 2\r\nx-three: ${times}\r\n\r\n`,
    );
    const others = new Headers(head.block);
    others.remove('x-two');
    assert.equal(forward(head, others, FRAMING_NONE), 'GET /a HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\r\n');
  }
});

test('replaces Host by another authority, and only once', () => {
  const head = decodeRequest('GET http://b:81/a HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n');
  const headers = new Headers(head.block);
  headers.set('host', 'ignored');
  assert.equal(forward(head, headers, FRAMING_NONE), 'GET /a HTTP/1.1\r\nHost: b:81\r\nX: 1\r\n\r\n');
  assert.equal(forward(head, new Headers(head.block), FRAMING_NONE, 'c'), 'GET /a HTTP/1.1\r\nHost: c\r\nX: 1\r\n\r\n');
});

test('finds Host, Content-Length and hop-by-hop headers beyond the mask of removed slots', () => {
  const many = Array.from({ length: 40 }, (_, i) => `X-${i}: ${i}\r\n`).join('');
  const head = decodeRequest(
    `POST /a HTTP/1.1\r\n${many}Host: a\r\nContent-Length: 5\r\nConnection: X-Late\r\nX-Late: 1\r\n\r\n`,
  );
  const text = forward(head, new Headers(head.block), FRAMING_CHUNKED, 'b');
  assert.equal(text, `POST /a HTTP/1.1\r\nHost: b\r\n${many}transfer-encoding: chunked\r\n\r\n`);
  assert.equal(
    forward(head, new Headers(head.block), FRAMING_LENGTH),
    `POST /a HTTP/1.1\r\n${many}Host: a\r\nContent-Length: 5\r\n\r\n`,
  );
});

test('says chunked itself, whatever was received or set', () => {
  const head = decodeRequest('POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  const headers = new Headers(head.block);
  headers.set('transfer-encoding', 'gzip');
  headers.set('content-length', '7');
  assert.equal(
    forward(head, headers, FRAMING_CHUNKED),
    'POST /a HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\n\r\n',
  );
});

test('passes an upgrade on that was set', () => {
  const head = decodeRequest('GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const headers = new Headers(head.block);
  headers.set('connection', 'Upgrade');
  headers.set('upgrade', 'websocket');
  assert.equal(
    forward(head, headers, FRAMING_NONE),
    'GET /a HTTP/1.1\r\nHost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n',
  );
});

test('lets nothing that it is given end a line', () => {
  const headers = Headers.of('X-A', 'a\r\nX-Evil: 1', 'X-B', 'b\0c');
  // U+010D and U+010A would become CR and LF when cut to eight bits.
  headers.add('x-c', 'c\u010d\u010ad');
  const text = written((out) => encodeRequestHead(out, 'GET', '/a b\r\n#\x7f\xe9', 'h\r\nX: y', headers, FRAMING_NONE));
  assert.equal(
    text,
    'GET /a%20b%0D%0A%23%7F%E9 HTTP/1.1\r\nHost: h  X: y\r\nX-A: a  X-Evil: 1\r\nX-B: b c\r\nx-c: c  d\r\n\r\n',
  );
});

test('leaves out the pseudo-headers of another protocol', () => {
  const headers = new Headers(new HeaderBlock([':method', ':path', 'x-a'], ['GET', '/', '1']));
  assert.equal(
    written((out) => encodeRequestHead(out, 'GET', '/', 'a', headers, FRAMING_NONE)),
    'GET / HTTP/1.1\r\nHost: a\r\nx-a: 1\r\n\r\n',
  );
});

test('writes a response with the connection option of this hop', () => {
  const head = decodeResponse(
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n',
  );
  const write = (framing: Framing, option: '' | 'close' | 'keep-alive') =>
    written((out) => encodeResponseHead(out, head.status, head.reason, new Headers(head.block), framing, option));
  const cookies = 'Set-Cookie: a\r\nSet-Cookie: b\r\n';
  assert.equal(write(FRAMING_LENGTH, ''), `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${cookies}\r\n`);
  assert.equal(
    write(FRAMING_LENGTH, 'close'),
    `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${cookies}connection: close\r\n\r\n`,
  );
  assert.equal(
    write(FRAMING_CHUNKED, 'keep-alive'),
    `HTTP/1.1 200 OK\r\n${cookies}transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n`,
  );
});

test('leaves the length out of a response that may not have one', () => {
  for (const status of [103, 204]) {
    const headers = new Headers(decodeResponse('HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\nX: y\r\n\r\n').block);
    headers.add('content-length', '4');
    const text = written((out) => encodeResponseHead(out, status, 'Fine', headers, FRAMING_NONE, ''));
    assert.equal(text, `HTTP/1.1 ${status} Fine\r\nX: y\r\n\r\n`);
  }
});

test('writes a reason of its own without mixing it up with the usual one', () => {
  const write = (reason: string) =>
    written((out) => encodeResponseHead(out, 404, reason, Headers.of(), FRAMING_NONE, ''));
  assert.equal(write('Not Found'), 'HTTP/1.1 404 Not Found\r\n\r\n');
  assert.equal(write('Gone\r\nfishing'), 'HTTP/1.1 404 Gone  fishing\r\n\r\n');
  assert.equal(write('Not Found'), 'HTTP/1.1 404 Not Found\r\n\r\n');
});

test('writes chunks and trailers, but no trailer that may not be one', () => {
  const text = written((out) => {
    for (const length of [1, 15, 16, 255, 4096, 65535, 1048576]) encodeChunkHead(out, length);
    encodeChunkEnd(out);
    encodeLastChunk(out, Headers.of('X-Sum', '1', 'Content-Length', '5', 'Host', 'b', 'grpc-status', '0\n'));
    encodeLastChunk(out, null);
  });
  const sizes = '1\r\nf\r\n10\r\nff\r\n1000\r\nffff\r\n100000\r\n';
  assert.equal(text, `${sizes}\r\n0\r\nX-Sum: 1\r\ngrpc-status: 0 \r\n\r\n0\r\n\r\n`);
});
