// HTTP/1 clients that mean no good: slow, endless, oversized, or silent. Each gets its status and its end; others are served.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { openClient, type RawClient } from '../../../kit/client.ts';
import { LeapClock } from '../../../kit/leap-clock.ts';
import { until } from '../../../kit/until.ts';
import { echo, reply } from '../../../kit/upstream.ts';
import { type Scene, type SceneParts, startScene } from './scene.ts';

interface Attacked {
  readonly scene: Scene;
  readonly clock: LeapClock;
  readonly client: RawClient;
}

async function open(context: TestContext, parts: SceneParts = {}): Promise<Attacked> {
  const clock = new LeapClock();
  const scene = await startScene(context, { ...parts, clock });
  return { scene, clock, client: await openClient(context, scene.port) };
}

/** Bytes of an attack and the status it gets. */
interface Oversized {
  readonly name: string;
  readonly bytes: string;
  readonly status: number;
  readonly manager?: Readonly<Record<string, unknown>>;
}

const head = 'GET / HTTP/1.1\r\nhost: a\r\n';
const chunked = 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n';

const oversized: readonly Oversized[] = [
  { name: 'a header of 60 KiB', bytes: `${head}a: ${'x'.repeat(62_000)}\r\n\r\n`, status: 431 },
  { name: 'a header that never ends', bytes: `${head}a: ${'x'.repeat(80_000)}`, status: 431 },
  { name: 'a request line that never ends', bytes: `GET /${'x'.repeat(80_000)}`, status: 431 },
  { name: '101 headers', bytes: `${head}${'a: 1\r\n'.repeat(100)}\r\n`, status: 431 },
  {
    name: 'one header more than max_headers_count',
    bytes: `${head}a: 1\r\nb: 2\r\n\r\n`,
    status: 431,
    manager: { common_http_protocol_options: { max_headers_count: 2 } },
  },
  {
    name: 'more than max_request_headers_kb',
    bytes: `${head}a: ${'x'.repeat(1100)}\r\n\r\n`,
    status: 431,
    manager: { max_request_headers_kb: 1 },
  },
  { name: 'chunk extensions without end', bytes: `${chunked}1;${'x'.repeat(9000)}`, status: 431 },
  { name: 'a chunk size without end', bytes: `${chunked}${'0'.repeat(20)}`, status: 400 },
  { name: 'trailers without end', bytes: `${chunked}0\r\na: ${'x'.repeat(80_000)}`, status: 431 },
  {
    name: 'a length and an encoding',
    bytes: `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`,
    status: 400,
  },
];

describe('over HTTP/1', () => {
  for (const { name, bytes, status, manager = {} } of oversized) {
    it(`${name}: ${status}, and the connection ends`, async (context) => {
      const { scene, client } = await open(context, { manager });
      client.send(bytes);
      assert.equal((await client.response()).status, status);
      await client.closed();
      await scene.servesOthers();
      await scene.isClear();
    });
  }

  it('tiny chunks by the thousand reach the endpoint whole, in larger ones', async (context) => {
    const { scene, client } = await open(context);
    const letters = 'abcdefghijklmno';
    const chunk = (size: number) => `${size.toString(16)}\r\n${letters.slice(0, size)}\r\n`;
    const sizes = Array.from({ length: 20_000 }, (_, i) => 1 + (i % letters.length));
    client.send(`${chunked}${sizes.map(chunk).join('')}0\r\n\r\n`);
    assert.equal((await client.response()).status, 200);
    const request = await scene.upstream.request(2);
    assert.equal(request.body.toString('latin1'), sizes.map((size) => letters.slice(0, size)).join(''));
  });

  it('a head that takes longer than request_headers_timeout is answered 408', async (context) => {
    const { scene, clock, client } = await open(context);
    client.send(head);
    await until('it is read', () => scene.proxy.stat('http.test.downstream_cx_active') === 2);
    for (let i = 0; i < 16; i++) {
      client.send('a: 1\r\n');
      await clock.leap(1000);
    }
    assert.equal((await client.response()).status, 408);
    await client.closed();
    assert.equal(scene.proxy.stat('http.test.downstream_rq_header_timeout'), 1);
    await scene.isClear();
  });

  it('a body that takes longer than request_timeout is answered 408, however steadily it trickles', async (context) => {
    const { scene, clock, client } = await open(context, { manager: { request_timeout: '5s' } });
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n');
    await until('it is taken', () => scene.proxy.stat('http.test.downstream_rq_active') === 1);
    for (let i = 0; i < 6; i++) {
      client.send('x');
      await clock.leap(1000);
    }
    assert.equal((await client.response()).status, 408);
    await client.closed();
    assert.equal(scene.proxy.stat('http.test.downstream_rq_timeout'), 1);
    await scene.isClear();
  });

  it('a body that stops is answered 408 after stream_idle_timeout', async (context) => {
    const { scene, clock, client } = await open(context);
    client.send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx');
    await until('it is taken', () => scene.proxy.stat('http.test.downstream_rq_active') === 1);
    await clock.leap(301_000);
    assert.equal((await client.response()).status, 408);
    assert.equal(scene.proxy.stat('http.test.downstream_rq_idle_timeout'), 1);
  });

  it('a client that says nothing is closed after idle_timeout', async (context) => {
    const { scene, clock, client } = await open(context, {
      manager: { common_http_protocol_options: { idle_timeout: '20s' } },
    });
    await clock.leap(21_000);
    await client.closed();
    await until('it is gone', () => scene.proxy.stat('listener.main.downstream_cx_active') <= 1);
  });

  it('the last request of max_requests_per_connection is answered with close', async (context) => {
    const { scene, client } = await open(context, {
      manager: { common_http_protocol_options: { max_requests_per_connection: 2 } },
    });
    const first = await client.fetch('GET', '/');
    assert.equal(first.headers.connection, undefined);
    const second = await client.fetch('GET', '/');
    assert.equal(second.headers.connection, 'close');
    await client.closed();
    assert.equal(scene.proxy.stat('http.test.downstream_cx_max_requests_reached'), 1);
  });

  it('a connection ends after max_connection_duration, between requests', async (context) => {
    const { scene, clock, client } = await open(context, {
      manager: { common_http_protocol_options: { max_connection_duration: '30s' } },
    });
    assert.equal((await client.fetch('GET', '/')).status, 200);
    await clock.leap(31_000);
    await client.closed();
    assert.ok(scene.proxy.stat('http.test.downstream_cx_max_duration_reached') >= 1);
  });

  it('pipelined requests are answered one after the other, and others between them', async (context) => {
    const { scene, client } = await open(context);
    const count = 500;
    client.send('GET /flood HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(count));
    await client.response();
    await scene.servesOthers();
    assert.ok(
      scene.proxy.stat('http.test.downstream_rq_completed') < count,
      'the other client did not have to wait for all',
    );
    for (let i = 1; i < count; i++) assert.equal((await client.response()).status, 200);
  });

  it('a client that does not read holds back the endpoint', async (context) => {
    const { scene, client } = await open(context, {
      steps: [echo(), reply(200, { body: 'x'.repeat(16_000_000) }), echo()],
    });
    client.socket.pause();
    client.send(`${head}\r\n`);
    await until('it is asked', () => scene.proxy.stat('http.test.downstream_rq_active') === 1);
    await scene.servesOthers();
    assert.equal(scene.proxy.stat('http.test.downstream_rq_active'), 1);
  });

  it('a connection that is opened and reset at once leaves nothing behind', async (context) => {
    const { scene } = await open(context);
    for (let i = 0; i < 50; i++) {
      const socket = connect(scene.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.resetAndDestroy();
    }
    await scene.servesOthers();
  });
});
