// What one head may allocate. Time says little on a shared machine; bytes are the same everywhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ByteWriter } from '@weft/lib/bytes';
import { Headers } from '@weft/lib/header';
import { defaultHttp1Limits, RequestDecoder, type RequestHead } from './decode.ts';
import { encodeRequestHead, FRAMING_NONE } from './encode.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

function headBytes(path: string, id: string): Buffer {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: ${'m'.repeat(60)}\r\nAccept: */*\r\n` +
      `Accept-Encoding: gzip, deflate\r\nX-Request-Id: ${id}\r\nConnection: keep-alive\r\n\r\n`,
  );
}

// The middle of some rounds: in some the compiler allocates beside us, in others the collector runs by itself.
function bytesPerCall(call: (number: number) => void): number {
  const calls = 500;
  const rounds = Array.from({ length: 41 }, () => {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let number = 0; number < calls; number++) call(number);
    return (process.memoryUsage().heapUsed - before) / calls;
  });
  return rounds.sort((a, b) => a - b)[rounds.length >> 1] as number;
}

function decodeAll(inputs: readonly Buffer[]): number {
  const sink = { onRequest() {}, onData() {}, onEnd() {} };
  const decoder = new RequestDecoder(defaultHttp1Limits, sink);
  return bytesPerCall((number) => {
    const bytes = inputs[number % inputs.length] as Buffer;
    decoder.decode(bytes, 0, bytes.length);
  });
}

// Each budget has a floor as well: far below it something is no longer measured.
function assertWithin(bytes: number, floor: number, budget: number): void {
  assert.ok(bytes >= floor && bytes <= budget, `${bytes.toFixed(0)} bytes per head, expected ${floor} to ${budget}`);
}

const numbers = Array.from({ length: 500 }, (_, number) => number);

test('the same head again costs its text', () => {
  assertWithin(decodeAll([headBytes('/a', 'same')]), 150, 300);
});

test('another path costs its text and a head', () => {
  assertWithin(decodeAll(numbers.map((number) => headBytes(`/items/${number}`, 'same'))), 350, 700);
});

test('another header value costs a block and its facts as well', () => {
  assertWithin(decodeAll(numbers.map((number) => headBytes(`/items/${number}`, `id-${number}`))), 900, 1700);
});

test('encoding an unchanged block allocates nothing', () => {
  const heads: RequestHead[] = [];
  const sink = { onRequest: (head: RequestHead) => void heads.push(head), onData() {}, onEnd() {} };
  const bytes = headBytes('/a', 'same');
  new RequestDecoder(defaultHttp1Limits, sink).decode(bytes, 0, bytes.length);
  const [head] = heads;
  const out = new ByteWriter(4096);
  const headers = new Headers(head?.block as RequestHead['block']);
  const cost = bytesPerCall(() => {
    out.reset();
    encodeRequestHead(out, 'GET', '/a', 'shop.example', headers, FRAMING_NONE);
  });
  assertWithin(cost, 0, 60);
});
