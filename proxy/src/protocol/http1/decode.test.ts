import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeaderBlock } from '@weft/lib/header';
import {
  defaultHttp1Limits,
  RequestDecoder,
  type RequestHead,
  ResponseDecoder,
  type ResponseHead,
  ResponseHeads,
} from './decode.ts';

/** Remembers heads, counts the rest, and does what a test wants after an event. */
class Sink {
  readonly requests: RequestHead[] = [];
  readonly responses: ResponseHead[] = [];
  data = '';
  ends = 0;
  afterHead = (): void => {};
  afterData = (): void => {};
  onRequest(head: RequestHead): void {
    this.requests.push(head);
    this.afterHead();
  }
  onResponse(head: ResponseHead): void {
    this.responses.push(head);
    this.afterHead();
  }
  onInformational(): void {}
  onData(buffer: Buffer, offset: number, length: number): void {
    this.data += buffer.toString('latin1', offset, offset + length);
    this.afterData();
  }
  onEnd(_trailers: HeaderBlock | null): void {
    this.ends++;
  }
}

function makeRequestDecoder(): { sink: Sink; decoder: RequestDecoder } {
  const sink = new Sink();
  return { sink, decoder: new RequestDecoder(defaultHttp1Limits, sink) };
}

function feed(decoder: RequestDecoder | ResponseDecoder, text: string): number {
  const bytes = Buffer.from(text, 'latin1');
  return decoder.decode(bytes, 0, bytes.length);
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('returns behind each message, so that pipelined requests wait', () => {
  const { sink, decoder } = makeRequestDecoder();
  assert.equal(feed(decoder, get + get), get.length);
  assert.equal(sink.ends, 1);
  assert.ok(decoder.isIdle);
});

test('decodes only the bytes it is given of a buffer that is used again', () => {
  const { sink, decoder } = makeRequestDecoder();
  const buffer = Buffer.from(`xx${get}`.padEnd(200, get));
  assert.equal(decoder.decode(buffer, 2, 2 + get.length - 3), get.length - 3);
  assert.equal(sink.requests.length, 0);
  assert.ok(decoder.isInHead);
  assert.equal(decoder.decode(buffer, 2 + get.length - 3, 2 + get.length), 3);
  assert.equal(sink.ends, 1);
});

test('does not read on into old bytes when the next head resembles the last one', () => {
  const { sink, decoder } = makeRequestDecoder();
  const buffer = Buffer.alloc(400);
  buffer.write(get, 'latin1');
  for (let times = 0; times < 3; times++) decoder.decode(buffer, 0, get.length);
  for (let cut = 1; cut < get.length; cut++) {
    assert.equal(decoder.decode(buffer, 0, cut), cut);
    assert.equal(sink.ends, 3 + cut - 1, `cut at ${cut}`);
    decoder.decode(buffer, cut, get.length);
    assert.equal(sink.ends, 3 + cut, `cut at ${cut}`);
  }
});

test('stops where the sink pauses it, and goes on with the rest', () => {
  const { sink, decoder } = makeRequestDecoder();
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n';
  sink.afterHead = () => decoder.pause();
  assert.equal(feed(decoder, `${head}body`), head.length);
  assert.equal(feed(decoder, 'body'), 0);
  decoder.resume();
  sink.afterData = () => decoder.pause();
  assert.equal(feed(decoder, 'bo'), 2);
  decoder.resume();
  // The last byte of a body is its end as well: nothing would come that could tell it later.
  assert.equal(feed(decoder, 'dy'), 2);
  assert.equal(sink.data, 'body');
  assert.equal(sink.ends, 1);
});

test('stops in the middle of chunks when it is paused', () => {
  const { sink, decoder } = makeRequestDecoder();
  const text = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n';
  const bytes = Buffer.from(text);
  sink.afterData = () => decoder.pause();
  let at = 0;
  for (let times = 0; times < 3; times++) {
    decoder.resume();
    at += decoder.decode(bytes, at, bytes.length);
    assert.equal(sink.data, 'ab'.slice(0, times + 1));
  }
  assert.equal(at, bytes.length);
  assert.equal(sink.ends, 1);
});

test('tells nothing more once it is closed, even in the middle of an event', () => {
  const { sink, decoder } = makeRequestDecoder();
  sink.afterHead = () => decoder.close();
  feed(decoder, get);
  assert.equal(sink.requests.length, 1);
  assert.equal(sink.ends, 0);
  assert.equal(feed(decoder, get), 0);
});

test('leaves all bytes to the caller after an upgrade', () => {
  const { sink, decoder } = makeRequestDecoder();
  const connect = 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n';
  assert.equal(feed(decoder, `${connect}bytes`), connect.length);
  decoder.upgrade();
  assert.equal(feed(decoder, 'bytes'), 0);
  assert.equal(sink.ends, 1);
  assert.ok(decoder.finish());
});

test('keeps the first error and consumes everything', () => {
  const { decoder } = makeRequestDecoder();
  assert.equal(feed(decoder, 'GET\r\n\r\nmore'), 11);
  assert.equal(decoder.error?.code, 'bad_request_line');
  assert.equal(feed(decoder, get), 0);
  assert.equal(decoder.finish(), false);
  assert.equal(decoder.error?.code, 'bad_request_line');
});

test('begins anew after a reset', () => {
  const { sink, decoder } = makeRequestDecoder();
  feed(decoder, 'GET\r\n\r\n');
  decoder.reset();
  assert.equal(decoder.error, null);
  feed(decoder, get);
  assert.equal(sink.ends, 1);
});

test('knows whether it is in a head, in a body, or between messages', () => {
  const { decoder } = makeRequestDecoder();
  const states = () => [decoder.isIdle, decoder.isInHead, decoder.isInBody];
  assert.deepEqual(states(), [true, false, false]);
  feed(decoder, 'POST / HTTP/1.1\r\n');
  assert.deepEqual(states(), [false, true, false]);
  feed(decoder, 'Host: a\r\nContent-Length: 2\r\n\r\n');
  assert.deepEqual(states(), [false, false, true]);
  feed(decoder, 'ab');
  assert.deepEqual(states(), [true, false, false]);
});

test('hands out one head for the same bytes again, on one connection', () => {
  const { sink, decoder } = makeRequestDecoder();
  for (let times = 0; times < 4; times++) feed(decoder, get);
  assert.equal(sink.requests[2], sink.requests[3]);
});

test('hands out one block for the same headers under another path, on any connection', () => {
  const section = 'Host: shared.example\r\nUser-Agent: test\r\n\r\n';
  const blocks = [1, 2, 3].map((number) => {
    const { sink, decoder } = makeRequestDecoder();
    feed(decoder, `GET /${number} HTTP/1.1\r\n${section}`);
    feed(decoder, `GET /${number}/again HTTP/1.1\r\n${section}`);
    assert.equal(sink.requests[0]?.block, sink.requests[1]?.block);
    assert.equal(sink.requests[1]?.path, `/${number}/again`);
    return sink.requests[1]?.block;
  });
  assert.equal(blocks[0], blocks[1]);
  assert.equal(blocks[1], blocks[2]);
});

test('does not let a cached section past the limit of another connection', () => {
  const text = 'GET / HTTP/1.1\r\nHost: counted.example\r\nA: 1\r\nB: 2\r\n\r\n';
  const { decoder } = makeRequestDecoder();
  feed(decoder, text);
  assert.equal(decoder.error, null);
  const strict = new RequestDecoder({ ...defaultHttp1Limits, maxHeaderCount: 2 }, new Sink());
  feed(strict, text);
  assert.equal(strict.error?.code, 'too_many_headers');
});

test('reads a header that changes from request to request', () => {
  const { sink, decoder } = makeRequestDecoder();
  const ids = ['aaaa', 'bbbb', 'c', '', 'dddddddd', 'eeee'];
  for (const id of ids) feed(decoder, `GET / HTTP/1.1\r\nHost: a\r\nX-Id: ${id}\r\nX-Last: z\r\n\r\n`);
  feed(decoder, 'GET / HTTP/1.1\r\nX-First: 0\r\nHost: b\r\nX-Last: z\r\n\r\n');
  assert.deepEqual(
    sink.requests.slice(0, -1).map(({ block }) => block.values),
    ids.map((id) => ['a', id, 'z']),
  );
  assert.deepEqual(sink.requests.at(-1)?.block.names, ['x-first', 'host', 'x-last']);
  assert.equal(sink.requests.at(-1)?.authority, 'b');
});

test('frames each response by the request it answers', () => {
  const sink = new Sink();
  const decoder = new ResponseDecoder(defaultHttp1Limits, sink);
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
  for (const method of ['HEAD', 'HEAD', 'HEAD', 'GET', 'GET', 'HEAD']) {
    decoder.start(method);
    feed(decoder, text);
    if (method === 'GET') feed(decoder, 'hi');
    assert.ok(decoder.isIdle, method);
  }
  assert.equal(sink.data, 'hihi');
  assert.equal(sink.ends, 6);
});

test('tells how long the peer keeps an idle connection', () => {
  const sink = new Sink();
  const decoder = new ResponseDecoder(defaultHttp1Limits, sink);
  const told: Readonly<Record<string, number>> = {
    'timeout=5, max=100': 5,
    'max=100; TIMEOUT=6;x': 6,
    'timeout=7\r\nKeep-Alive: max=1': 7,
    'x-timeout=5': -1,
    'max=100': -1,
  };
  for (const [value, seconds] of Object.entries(told)) {
    decoder.start('GET');
    feed(decoder, `HTTP/1.1 200 OK\r\nKeep-Alive: ${value}\r\nContent-Length: 0\r\n\r\n`);
    assert.equal(sink.responses.at(-1)?.facts.keepAliveTimeoutSeconds, seconds, value);
  }
});

test('reads responses alike on connections that share what they have seen', () => {
  const heads = new ResponseHeads();
  const sink = new Sink();
  const decoders = [1, 2, 3].map(() => new ResponseDecoder(defaultHttp1Limits, sink, heads));
  const texts = ['a', 'a', 'b', 'a', 'bb'].map(
    (value) => `HTTP/1.1 200 OK\r\nX: ${value}\r\nContent-Length: 0\r\n\r\n`,
  );
  for (const text of texts) {
    for (const decoder of decoders) {
      decoder.start('GET');
      feed(decoder, text);
    }
  }
  assert.equal(sink.ends, 15);
  assert.deepEqual(
    sink.responses.map(({ block }) => block.values[0]),
    ['a', 'a', 'b', 'a', 'bb'].flatMap((value) => [value, value, value]),
  );
  // One that is refused is refused on the next connection too.
  for (const decoder of decoders) {
    decoder.start('GET');
    feed(decoder, 'HTTP/1.1 two OK\r\nX: bb\r\nContent-Length: 0\r\n\r\n');
    assert.equal(decoder.error?.code, 'bad_status_line');
  }
  assert.equal(sink.responses.length, 15);
});
