// What decoding, forwarding and encoding an HTTP/2 exchange costs: `node bench/http2-codec/run.ts`. Prints nanoseconds of CPU time per request.

import { ByteWriter } from '@weft/lib/bytes';
import { type HeaderBlock, Headers } from '@weft/lib/header';
import { Http2Connection, type Http2Sink, type Http2Stream } from '@weft/proxy/protocol/http2/connection';
import type { H2RequestHead } from '@weft/proxy/protocol/http2/message';
import { defaultLimits, defaultSettings } from '@weft/proxy/protocol/http2/settings';

const requests = 200_000;
const rounds = 5;
const batch = 50;
const body = Buffer.alloc(1024, 'x');

/** Makes the requests and hears the answers. */
class Client implements Http2Sink {
  readonly out = new ByteWriter(1 << 16);
  readonly connection = new Http2Connection('client', defaultSettings, defaultLimits, this, () => this.out);
  answers = 0;

  onResponse(): void {}
  onData(stream: Http2Stream, _buffer: Buffer, _offset: number, length: number, endStream: boolean): void {
    this.connection.consume(stream, length);
    if (endStream) this.answers++;
  }
  onTrailers(): void {}
  onReset(): void {}
  onWritable(): void {}
  onGoAway(): void {}
  onConnectionError(): void {}
}

/** Answers each request with 1 KiB. */
class Server implements Http2Sink {
  readonly out = new ByteWriter(1 << 16);
  readonly connection = new Http2Connection('server', defaultSettings, defaultLimits, this, () => this.out);
  private readonly block: HeaderBlock = Headers.of('content-type', 'application/json', 'server', 'bench').base;

  onRequest(stream: Http2Stream, _head: H2RequestHead): void {
    this.connection.sendResponseHead(stream, 200, new Headers(this.block), false);
    if (this.connection.sendData(stream, body, 0, body.length, true) < body.length) throw new Error('no window');
  }
  onData(): void {}
  onTrailers(): void {}
  onReset(): void {}
  onWritable(): void {}
  onGoAway(): void {}
  onConnectionError(): void {}
}

function pass(from: { readonly out: ByteWriter }, to: Http2Connection): void {
  const bytes = from.out.view();
  to.decode(bytes, 0, bytes.length);
  from.out.reset();
}

function measure(name: string, pathOf: (number: number) => string, headersOf: (number: number) => Headers): void {
  const client = new Client();
  const server = new Server();
  client.connection.start();
  server.connection.start();
  const exchange = () => {
    pass(client, server.connection);
    pass(server, client.connection);
  };
  exchange();
  let number = 0;
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      const path = pathOf(number);
      const headers = headersOf(number++);
      client.connection.openStream(
        { method: 'GET', path, authority: 'shop.example', scheme: 'http', protocol: null, headers },
        true,
      );
      if (i % batch === batch - 1) exchange();
    }
  };
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    run(requests);
    const { user, system } = process.cpuUsage(before);
    times.push(((user + system) * 1000) / requests);
    client.connection.tick();
    server.connection.tick();
  }
  if (client.answers !== number) throw new Error(`${name}: ${client.answers} of ${number} requests were answered`);
  const median = times.sort((a, b) => a - b)[rounds >> 1] as number;
  console.log(`${name.padEnd(58)} ${median.toFixed(0).padStart(6)} ns`);
}

function block(id: string): HeaderBlock {
  return Headers.of(
    'user-agent',
    'bench/1.0',
    'accept',
    'application/json',
    'accept-encoding',
    'gzip',
    'x-request-id',
    id,
    'x-tenant',
    'blue',
  ).base;
}

const same = block('7f1c1a5e-3f0b-4e5d-9d7c-0a1b2c3d4e5f');
const variants = Array.from({ length: 4096 }, (_, number) =>
  block(`7f1c1a5e-3f0b-4e5d-9d7c-${(number * 2654435761).toString(16)}`),
);

console.log(
  `request and 1 KiB response, both sides of one connection, ${requests} requests, median of ${rounds} rounds`,
);
measure(
  'the same head each time',
  () => '/api/items/1',
  () => new Headers(same),
);
measure(
  'another path each time',
  (number) => `/api/items/${number % 5000}`,
  () => new Headers(same),
);
measure(
  'another path and request id each time',
  (number) => `/api/items/${number % 5000}`,
  (number) => new Headers(variants[number & 4095] as HeaderBlock),
);
