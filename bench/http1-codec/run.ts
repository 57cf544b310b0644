// What decoding and encoding an HTTP/1.1 head costs: `node bench/http1-codec/run.ts`. Prints nanoseconds of CPU time per operation.

import { ByteWriter } from '@weft/lib/bytes';
import { Headers } from '@weft/lib/header';
import {
  defaultHttp1Limits,
  RequestDecoder,
  type RequestHead,
  ResponseDecoder,
} from '@weft/proxy/protocol/http1/decode';
import { encodeRequestHead, encodeResponseHead, FRAMING_LENGTH, FRAMING_NONE } from '@weft/proxy/protocol/http1/encode';

const operations = 1_000_000;
const rounds = 5;

function requestBytes(path: string, id: string): Buffer {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0\r\n` +
      `Accept: text/html,application/json\r\nAccept-Encoding: gzip, deflate, br\r\nX-Request-Id: ${id}\r\n` +
      'Connection: keep-alive\r\n\r\n',
  );
}

function responseBytes(id: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sat, 21 Nov 2026 07:00:00 GMT\r\nContent-Type: application/json\r\n` +
      `ETag: "${id}"\r\nCache-Control: no-cache\r\nContent-Length: 0\r\n\r\n`,
  );
}

const variants = 4096;
const fixedId = '7f1c1a5e-3f0b-4e5d-9d7c-0a1b2c3d4e5f';

function idOf(number: number): string {
  return `${(number * 2654435761).toString(16).padStart(12, '0').slice(-8)}${fixedId.slice(8)}`;
}

function spread(make: (number: number) => Buffer): Buffer[] {
  return Array.from({ length: variants }, (_, number) => make(number));
}

class Sink {
  heads = 0;
  last: RequestHead | null = null;
  onRequest(head: RequestHead): void {
    this.heads++;
    this.last = head;
  }
  onResponse(): void {
    this.heads++;
  }
  onInformational(): void {}
  onData(): void {}
  onEnd(): void {}
}

// The median of some rounds: the first ones are still being compiled.
function measure(name: string, operate: (number: number) => void): void {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let number = 0; number < operations; number++) operate(number);
    const { user, system } = process.cpuUsage(before);
    times.push(((user + system) * 1000) / operations);
  }
  const median = times.sort((a, b) => a - b)[rounds >> 1] as number;
  console.log(`${name.padEnd(58)} ${median.toFixed(0).padStart(6)} ns`);
}

function measureDecode(name: string, inputs: readonly Buffer[]): void {
  const sink = new Sink();
  const decoder = new RequestDecoder(defaultHttp1Limits, sink);
  measure(`decode request, ${name}`, (number) => {
    const bytes = inputs[number % inputs.length] as Buffer;
    decoder.decode(bytes, 0, bytes.length);
  });
  if (sink.heads !== operations * rounds) throw new Error(`${name}: only ${sink.heads} requests were decoded`);
}

function measureResponse(name: string, inputs: readonly Buffer[]): void {
  const sink = new Sink();
  const decoder = new ResponseDecoder(defaultHttp1Limits, sink);
  measure(`decode response, ${name}`, (number) => {
    const bytes = inputs[number % inputs.length] as Buffer;
    decoder.start('GET');
    decoder.decode(bytes, 0, bytes.length);
  });
  if (sink.heads !== operations * rounds) throw new Error(`${name}: only ${sink.heads} responses were decoded`);
}

function decodeOne(bytes: Buffer): RequestHead {
  const sink = new Sink();
  new RequestDecoder(defaultHttp1Limits, sink).decode(bytes, 0, bytes.length);
  if (sink.last === null) throw new Error('the request was not decoded');
  return sink.last;
}

function measureEncode(name: string, inputs: readonly Buffer[], prepare: (headers: Headers) => void): void {
  const heads = inputs.map(decodeOne);
  const out = new ByteWriter(16384);
  measure(`encode request, ${name}`, (number) => {
    const head = heads[number % heads.length] as RequestHead;
    const headers = new Headers(head.block);
    prepare(headers);
    out.reset();
    encodeRequestHead(out, head.method, head.path, head.authority, headers, FRAMING_NONE);
  });
}

// As a proxy does it: decode, change some headers, encode.
function measureForward(name: string, inputs: readonly Buffer[]): void {
  const out = new ByteWriter(16384);
  const sink = new Sink();
  const decoder = new RequestDecoder(defaultHttp1Limits, sink);
  measure(`decode + 3 headers + encode, ${name}`, (number) => {
    const bytes = inputs[number % inputs.length] as Buffer;
    decoder.decode(bytes, 0, bytes.length);
    const head = sink.last as RequestHead;
    const headers = new Headers(head.block);
    mutate(headers);
    out.reset();
    encodeRequestHead(out, head.method, head.path, head.authority, headers, FRAMING_NONE);
  });
}

function mutate(headers: Headers): void {
  headers.set('x-forwarded-for', '10.0.0.1');
  headers.set('x-forwarded-proto', 'http');
  headers.set('x-request-id', fixedId);
}

const same = [requestBytes('/api/items/1', fixedId)];
const paths = spread((number) => requestBytes(`/api/items/${number}`, fixedId));
const sections = spread((number) => requestBytes(`/api/items/${number}`, idOf(number)));
const alternating = [requestBytes('/a', idOf(1)), requestBytes('/b', idOf(2)), requestBytes('/c', idOf(3))];
const none = (): void => {};

console.log(`a head of ${same[0]?.length} bytes, 6 headers, ${operations} operations, median of ${rounds} rounds`);
measureDecode('the same head each time', same);
measureDecode('the same headers, another path', paths);
measureDecode('three sections in turn', alternating);
measureDecode('another path and request id each time', sections);
measureResponse('the same head each time', [responseBytes(fixedId)]);
measureResponse(
  'another ETag each time',
  spread((number) => responseBytes(idOf(number))),
);
measureEncode('unchanged, the same block', same, none);
measureEncode('unchanged, another block each time', sections, none);
measureEncode('three headers set, the same block', same, mutate);
measureEncode('three headers set, another block each time', sections, mutate);
measureForward('the same head each time', same);
measureForward('another path', paths);
measureForward('another path and request id', sections);

const response = new Headers(decodeOne(requestBytes('/', fixedId)).block);
const out = new ByteWriter(16384);
measure('encode response, unchanged', () => {
  out.reset();
  encodeResponseHead(out, 200, 'OK', response, FRAMING_LENGTH, '');
});
